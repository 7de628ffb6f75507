"""An exported network on TensorRT: its engine is built or taken from the cache, loaded, and run.

Never run on a GPU by this project's tests: see docs/tensorrt.md for what was tried and how.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from typing import Any

from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.inference.cuda_driver import CudaError, CudaOutOfMemory, Gpu
from rgbd_perception.inference.engine_build import OnProgress
from rgbd_perception.inference.engine_cache import CachedEngine, EngineCache
from rgbd_perception.inference.engine_runner import EngineRunner
from rgbd_perception.inference.engines import GraphFile, engine_for, engine_key
from rgbd_perception.inference.graph_info import GraphInfo
from rgbd_perception.inference.tensorrt_api import TensorRt, find_tensorrt

log = logging.getLogger(__name__)


class TensorRtBackend:
    """A graph of ``export`` as an engine on the GPU of this machine.

    info    what the graph says about itself
    reason  why the engine had to be built; empty where it was there
    """

    name = "tensorrt"

    def __init__(
        self,
        graph: GraphFile,
        *,
        cache: EngineCache | None = None,
        on_progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
        api: TensorRt | None = None,
        gpu: Gpu | None = None,
    ) -> None:
        """Make it ready: seconds with an engine from the cache, minutes where it has to be built.

        on_progress, cancel  of a build, see ``build_engine``
        api, gpu             None: those of this machine

        Raises UserError where TensorRT, a GPU or its memory are missing: another backend must do.
        """
        self.info: GraphInfo = graph.info
        api, cache = api or find_tensorrt(), cache or EngineCache()
        try:
            gpu = gpu or Gpu()
            engine = engine_for(api, graph, gpu, cache, on_progress, cancel)
            try:
                self._runner = EngineRunner(api, engine.data, gpu)
            except UserError as refusal:
                if engine.reason:
                    raise  # it was built just now: once more would give the same
                log.warning("%s: it is built anew", refusal)
                cache.forget(engine_key(api, graph, gpu))
                engine = engine_for(api, graph, gpu, cache, on_progress, cancel)
                self._runner = EngineRunner(api, engine.data, gpu)
        except CudaOutOfMemory as error:
            raise UserError(f"not enough memory on the GPU for {graph.info.model}: {error}") from error
        except CudaError as error:
            raise UserError(f"the GPU cannot be used: {error}") from error
        self.reason = engine.reason
        self._log_start(api, gpu, engine)

    def __call__(
        self, inputs: Mapping[str, NDArray[Any]], wanted: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run the graph: see ``EngineRunner``; outputs are valid until the next call.

        Raises FrameDropped ``frame_size`` for images of another size than the engine's, CudaError where the
        device fails; then the backend must be closed.
        """
        color = inputs.get("color")
        if color is not None and color.shape[:2] != self.info.size:
            height, width = self.info.size
            got = "x".join(map(str, color.shape[:2]))
            raise FrameDropped("frame_size", f"the engine takes images of {height}x{width}, got {got}")
        return self._runner(inputs, wanted)

    def close(self) -> None:
        """Free the engine and its memory."""
        self._runner.close()

    def _log_start(self, api: TensorRt, gpu: Gpu, engine: CachedEngine) -> None:
        origin = f"built in {engine.header.build_seconds:.0f} s" if engine.reason else "from the cache"
        log.info(
            "%s on %s: engine of %s, %s, %s", api, gpu.name, self.info.model, self.info.precision, origin
        )
