"""OpenVINO: exported graphs compiled for an x86 processor, by the build of ONNX Runtime that contains it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rgbd_perception.inference.backends.base import BackendRequest, Unavailable
from rgbd_perception.inference.backends.onnx_runtime import (
    CPU,
    CUDA,
    OnnxBackend,
    available_providers,
    in_one_line,
    require_file,
    session_options,
)
from rgbd_perception.inference.denormals import denormals_as_zero
from rgbd_perception.inference.graphs import find_graphs

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

PROVIDER = "OpenVINOExecutionProvider"
FATAL = 4
"""Level of ONNX Runtime's log. What a session does not start for comes as an exception too."""


def create(request: BackendRequest) -> OnnxBackend:
    """Open the graphs of a model.

    Raises Unavailable without that build of ONNX Runtime, without an exported graph, where OpenVINO does not
    take the graph, and, where the choice is ours, beside a CUDA device.
    """
    available = available_providers()
    if PROVIDER not in available:
        raise Unavailable("this onnxruntime is built without it (docs/runtime.md)")
    if request.automatic and CUDA in available:
        raise Unavailable("this onnxruntime has CUDA too")
    return OnnxBackend(find_graphs(request), request.threads, "openvino", open_session)


def open_session(path: Path, threads: int) -> InferenceSession:
    """Raises UserError for a missing file, Unavailable where OpenVINO does not start or refuses the graph."""
    import onnxruntime

    require_file(path)
    options = session_options(threads)
    options.log_severity_level = FATAL
    providers = [(PROVIDER, provider_options(threads)), CPU]
    try:
        with denormals_as_zero():
            session = onnxruntime.InferenceSession(
                str(path), options, providers=providers, enable_fallback=False
            )
    except Exception as error:  # its exceptions have no common base but this
        raise Unavailable(f"it cannot run {path} ({in_one_line(error)})") from error
    if PROVIDER not in session.get_providers():  # ONNX Runtime goes on without a provider that fails
        raise Unavailable("it does not start on this machine")
    return session


def provider_options(threads: int) -> dict[str, str]:
    """As ONNX Runtime takes them: OpenVINO's own settings are JSON."""
    settings: dict[str, str | int | bool] = {
        "INFERENCE_PRECISION_HINT": "f32",  # never bfloat16, which some processors would be faster with
        "PERFORMANCE_HINT": "LATENCY",
        "CPU_DENORMALS_OPTIMIZATION": "YES",  # ONNX Runtime's own setting does not reach its threads
        "ENABLE_CPU_PINNING": False,  # the map and other networks choose among the same cores
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    return {"device_type": "CPU", "load_config": json.dumps({"CPU": settings})}
