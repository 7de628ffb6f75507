"""From a model to an engine that fits this machine: which ONNX file, which key, kept or built now."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rgbd_perception.errors import UserError
from rgbd_perception.inference.cuda_driver import Gpu
from rgbd_perception.inference.engine_build import BuiltEngine, OnProgress, build_engine
from rgbd_perception.inference.engine_cache import CachedEngine, EngineCache, EngineKey, file_hash
from rgbd_perception.inference.export import ExportOptions, export_onnx
from rgbd_perception.inference.graph_info import KEY, GraphInfo, parse_graph_info
from rgbd_perception.inference.tensorrt_api import TensorRt

ONNX_SUFFIX = ".onnx"


@dataclass(frozen=True)
class GraphFile:
    """An ONNX file of ours, and what it says about itself."""

    path: Path
    info: GraphInfo

    @property
    def metadata(self) -> dict[str, str]:
        """As it stands in the file; engines carry it on."""
        return {KEY: self.info.to_json()}


@contextlib.contextmanager
def graph_file(model: str | Path, options: ExportOptions, untrained: bool = False) -> Iterator[GraphFile]:
    """The ONNX file of ``model``: itself where it is one, else exported, which takes some seconds.

    Raises UserError where there are no weights, or a file is not what ``options`` ask for.
    """
    path = Path(model)
    if path.suffix == ONNX_SUFFIX:
        yield open_graph_file(path, options)
        return
    with tempfile.TemporaryDirectory(prefix="rgbd_perception_") as folder:
        path = Path(folder) / f"model{ONNX_SUFFIX}"
        yield GraphFile(path, export_onnx(model, path, options, untrained).graph)


def open_graph_file(path: Path, options: ExportOptions) -> GraphFile:
    """Read what an ONNX file says about itself. Raises UserError where it is not what ``options`` ask for."""
    info = parse_graph_info(_metadata(path), path)
    if info.precision != options.precision:
        raise UserError(
            f"{path} is {info.precision}, not {options.precision}: types are in the graph, export it again"
        )
    if options.size not in (None, info.size):
        raise UserError(f"{path} takes images of {info.size[0]}x{info.size[1]} only: export it again")
    return GraphFile(path, info)


def engine_key(api: TensorRt, graph: GraphFile, device: Gpu | Sequence[str]) -> EngineKey:
    """The key of the engine of ``graph`` for a GPU, or for targets such as "sm86"."""
    if isinstance(device, Gpu):
        name, capability = device.name, device.compute_capability
    else:
        name, capability = ",".join(device), ""
    height, width = graph.info.size
    return EngineKey(
        model=graph.info.model,
        model_hash=file_hash(graph.path),
        precision=graph.info.precision,
        size=f"{height}x{width}",
        gpu=name,
        compute_capability=capability,
        tensorrt=api.flavour,
        version=api.version,
    )


def engine_for(
    api: TensorRt,
    graph: GraphFile,
    gpu: Gpu,
    cache: EngineCache,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> CachedEngine:
    """The engine of ``graph`` for ``gpu``, from the cache or built now: see ``EngineCache.get``."""

    def build() -> BuiltEngine:
        return build_engine(api, graph.path, (), on_progress, cancel)

    return cache.get(engine_key(api, graph, gpu), build, graph.metadata)


def _metadata(path: Path) -> dict[str, str]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model(path, load_external_data=False)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except DecodeError as error:
        raise UserError(f"{path} is no ONNX file: expected one of `rgbd-perception export`") from error
    return {entry.key: entry.value for entry in model.metadata_props}
