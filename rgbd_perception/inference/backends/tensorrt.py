"""TensorRT: an exported graph as an engine on the GPU of this machine, kept from the last time or built.

No engine has ever run in this project's tests, for want of a GPU: docs/tensorrt.md says what was tried.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.backends.base import BackendRequest, GridOutput, Unavailable
from rgbd_perception.inference.backends.graph_io import class_inputs, encode_depth, graph_facts
from rgbd_perception.inference.cuda_driver import CudaError, CudaOutOfMemory, Gpu
from rgbd_perception.inference.engine_cache import SUFFIX, CachedEngine, EngineCache, read_file
from rgbd_perception.inference.engine_runner import EngineRunner
from rgbd_perception.inference.engines import ModelId, build_kept, find_kept, identify
from rgbd_perception.inference.graph_info import parse_graph_info
from rgbd_perception.inference.tensorrt_api import TensorRt, find_tensorrt

log = logging.getLogger(__name__)


def create(request: BackendRequest) -> TensorRtBackend:
    """An engine file, or the engine of a model: the last one built for this GPU, else a new one in fp16.

    Building takes seconds to minutes; where the choice of the backend was left to us, it is not begun. Raises
    Unavailable without TensorRT, a GPU, its memory or (then) an engine; UserError without weights.
    """
    try:
        gpu = Gpu()  # first: to ask for it costs nothing, to load TensorRT does
        api = find_tensorrt()
    except (UserError, CudaError) as error:
        raise Unavailable(str(error)) from error
    path = Path(request.model)
    if path.suffix == SUFFIX:
        return _open(read_file(path), api, gpu)
    model = identify(request.model, request.untrained)
    return open_backend(request, model, api, gpu, EngineCache())


def open_backend(
    request: BackendRequest, model: ModelId, api: TensorRt, gpu: Gpu, cache: EngineCache
) -> TensorRtBackend:
    """``create`` on a given machine."""
    kept = find_kept(cache, model, api, gpu)
    if isinstance(kept, str):
        if request.automatic:
            raise Unavailable(f"{kept} (rgbd-perception engine build {request.model} makes one)")
        log.info("%s: one is built, which takes its time", kept)
        kept = build_kept(cache, request, model, api, gpu)
    try:
        return _open(kept, api, gpu)
    except UserError as refusal:
        if kept.reason or request.automatic:
            raise Unavailable(str(refusal)) from refusal
        log.warning("%s: it is built anew", refusal)
        cache.forget(kept.header.key)
        return _open(build_kept(cache, request, model, api, gpu), api, gpu)


def _open(engine: CachedEngine, api: TensorRt, gpu: Gpu) -> TensorRtBackend:
    """Raises UserError where TensorRT refuses the engine, Unavailable where the device does."""
    try:
        backend = TensorRtBackend(engine, api, gpu)
    except CudaOutOfMemory as error:
        raise Unavailable(f"not enough memory on the GPU for {engine.header.key.model}: {error}") from error
    except CudaError as error:
        raise Unavailable(f"the GPU cannot be used: {error}") from error
    origin = engine.reason or "kept from before"
    log.info("%s on %s: engine of %s (%s)", api, gpu.name, engine.header.key.model, origin)
    return backend


class TensorRtBackend:
    """One engine; memory on both sides is taken once."""

    name = "tensorrt"
    on_cpu = False

    def __init__(self, engine: CachedEngine, api: TensorRt, gpu: Gpu) -> None:
        """Load the engine. Raises UserError where TensorRT refuses it, CudaError where the device does."""
        metadata, where = dict(engine.header.metadata), Path(f"the engine of {engine.header.key.model}")
        self.info = parse_graph_info(metadata, where)
        self.facts = graph_facts(self.info, metadata, where)
        self.header = engine.header
        self._classes = len(self.info.labels)
        self._new_inputs: dict[str, NDArray[np.float32]] = {}
        self._runner = EngineRunner(api, engine.data, gpu)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """See ``Backend``: an engine takes one size."""
        return (self.info.size,)

    def set_classes(self, rows: NDArray[np.float32]) -> None:
        """See ``Backend``. The rows go to the device with the next frame."""
        self._new_inputs = class_inputs(rows, self.info)
        self._classes = len(rows)

    def __call__(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32], scores: bool = True
    ) -> GridOutput:
        """See ``Backend``. Raises CudaError where the device fails; then only ``close`` is left.

        Scores are by far the most of what leaves the device beside the embeddings: they are copied only
        where they are wanted, and only those of classes that there are.
        """
        images = {"color": color, "depth": encode_depth(depth, self.info)}
        wanted = {"labels": None, "confidence": None, "embedding": None}
        columns = {**wanted, "log_probability": self._classes} if scores else wanted
        outputs = self._runner({**images, **self._new_inputs}, columns)
        self._new_inputs = {}
        embedding = outputs.get("embedding")
        return GridOutput(
            outputs.get("log_probability"),
            outputs["labels"].copy(),  # the runner's arrays are written to by the next frame
            outputs["confidence"].copy(),
            None if embedding is None else embedding.copy(),
        )

    def close(self) -> None:
        """See ``Backend``."""
        with contextlib.suppress(CudaError):
            self._runner.close()
