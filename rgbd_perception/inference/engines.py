"""From a model to an engine for this machine: the one that is kept, or an exported graph and a build."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rgbd_perception.errors import UserError
from rgbd_perception.inference.backends.base import BackendRequest
from rgbd_perception.inference.cuda_driver import Gpu
from rgbd_perception.inference.engine_build import BuiltEngine, OnProgress, build_engine
from rgbd_perception.inference.engine_cache import (
    CachedEngine,
    EngineCache,
    EngineDamaged,
    EngineHeader,
    EngineKey,
    file_hash,
    read_engine,
)
from rgbd_perception.inference.graph_info import GraphInfo, parse_graph_info
from rgbd_perception.inference.graphs import GRAPH_SUFFIX, identity
from rgbd_perception.inference.tensorrt_api import TensorRt

if TYPE_CHECKING:
    from rgbd_perception.inference.export import Precision


class ModelId(NamedTuple):
    """Name of a network and hash of its weights."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class GraphFile:
    """An ONNX file of ours: what it says about itself, and that as it stands in the file."""

    path: Path
    info: GraphInfo
    metadata: dict[str, str]


@dataclass(frozen=True)
class GraphOptions:
    """Which graph of a model: its precision, and the size (H, W) of its images, None: the network's own."""

    precision: Precision = "fp16"
    size: tuple[int, int] | None = None


def identify(model: str | Path, untrained: bool = False) -> ModelId:
    """Which network and weights a name, weights file or ONNX file stands for; reads headers only.

    Raises UserError where there are none.
    """
    path = Path(model)
    if path.suffix == GRAPH_SUFFIX:
        info = open_graph_file(path).info
        return ModelId(info.model, info.fingerprint)
    return ModelId(*identity(model, untrained))


@contextlib.contextmanager
def graph_file(
    model: str | Path, options: GraphOptions | None = None, untrained: bool = False
) -> Iterator[GraphFile]:
    """The ONNX file of ``model``: itself where it is one, else exported, which takes a while.

    Raises UserError where there are no weights, or a file is not what ``options`` ask for.
    """
    path = Path(model)
    if path.suffix == GRAPH_SUFFIX:
        yield open_graph_file(path, options)
        return
    from rgbd_perception.inference.export import ExportOptions, export_onnx

    options = options or GraphOptions()
    with tempfile.TemporaryDirectory(prefix="rgbd_perception_") as folder:
        path = Path(folder) / f"model{GRAPH_SUFFIX}"
        export_onnx(model, path, ExportOptions(options.precision, options.size), untrained)
        yield open_graph_file(path)


def open_graph_file(path: Path, options: GraphOptions | None = None) -> GraphFile:
    """Read what an ONNX file says about itself. Raises UserError where it is not what ``options`` ask for."""
    metadata = _metadata(path)
    info = parse_graph_info(metadata, path)
    if options is not None and info.precision != options.precision:
        raise UserError(
            f"{path} is {info.precision}, not {options.precision}: types are in the graph, export it again"
        )
    if options is not None and options.size not in (None, info.size):
        raise UserError(f"{path} takes images of {info.size[0]}x{info.size[1]} only: export it again")
    return GraphFile(path, info, metadata)


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


def find_kept(cache: EngineCache, model: ModelId, api: TensorRt, gpu: Gpu) -> CachedEngine | str:
    """The engine of ``model`` for this machine that was built last; else one line that says why none fits."""
    reason = f"no engine of {model.name} is kept here"
    for path, header in _newest_first(cache, model.name):
        misfit = _misfit(header, model, api, gpu)
        if misfit:
            reason = f"the engine of {model.name} that is kept was built for {misfit}"
            continue
        try:
            return read_engine(path, header.key)
        except (EngineDamaged, FileNotFoundError) as damage:
            reason = f"{path} is damaged: {damage}"
    return reason


def build_kept(
    cache: EngineCache,
    request: BackendRequest,
    model: ModelId,
    api: TensorRt,
    gpu: Gpu,
) -> CachedEngine:
    """Build an engine of the precision and size that the last one of this model had; the first is fp16."""
    report, options, expected = request.report, GraphOptions(), None
    if before := _newest_first(cache, model.name):
        _, header = before[0]
        height, _, width = header.key.size.partition("x")
        precision: Precision = "fp32" if header.key.precision == "fp32" else "fp16"
        options = GraphOptions(precision, (int(height), int(width)))
        expected = header.build_seconds
    report.text = "exporting the network"
    is_file = Path(request.model).suffix == GRAPH_SUFFIX
    with graph_file(request.model, None if is_file else options, request.untrained) as graph:
        return engine_for(
            api, graph, gpu, cache, lambda share, phase: report.building(share, expected), report.cancel
        )


def engine_for(
    api: TensorRt,
    graph: GraphFile,
    gpu: Gpu,
    cache: EngineCache,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> CachedEngine:
    """The engine of ``graph`` for ``gpu``, kept or built now: see ``EngineCache.get``."""

    def build() -> BuiltEngine:
        return build_engine(api, graph.path, (), on_progress, cancel)

    return cache.get(engine_key(api, graph, gpu), build, graph.metadata, cancel)


def _newest_first(cache: EngineCache, model: str) -> list[tuple[Path, EngineHeader]]:
    return sorted(cache.engines(model), key=lambda entry: entry[1].built, reverse=True)


def _misfit(header: EngineHeader, model: ModelId, api: TensorRt, gpu: Gpu) -> str:
    """In words, what keeps an engine from being used here; empty: nothing."""
    key = header.key
    wanted = (
        ("GPU", key.gpu, gpu.name),
        ("compute capability", key.compute_capability, gpu.compute_capability),
        ("library", key.tensorrt, api.flavour),
        ("TensorRT", key.version, api.version),
        ("weights", _fingerprint(header), model.fingerprint),
    )
    return "; ".join(
        f"{what} {theirs or 'none'}, this is {ours}" for what, theirs, ours in wanted if theirs != ours
    )


def _fingerprint(header: EngineHeader) -> str:
    with contextlib.suppress(UserError):
        return parse_graph_info(header.metadata, Path("engine")).fingerprint
    return ""


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
