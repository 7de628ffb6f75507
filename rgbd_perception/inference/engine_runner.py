"""A TensorRT engine with its memory: numpy arrays in, numpy arrays out."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.cuda_driver import CudaError, Gpu, MirroredArray, Stream
from rgbd_perception.inference.tensorrt_api import TensorRt


class EngineRunner:
    """Runs one engine on one stream. All memory, pinned on the host, is taken once, here.

    Not thread-safe, but every call may come from another thread.
    """

    def __init__(self, api: TensorRt, data: bytes, gpu: Gpu) -> None:
        """Load the engine. Raises UserError where TensorRT refuses it, CudaError where the device does."""
        self._gpu = gpu
        self._held = contextlib.ExitStack()  # freed in the reverse order: the engine before the stream
        gpu.make_current()
        try:
            self._stream = Stream(gpu.driver)
            self._held.callback(self._stream.close)
            engine = api.deserialize(data)
            self.specs = {spec.name: spec for spec in api.tensors(engine)}
            self._context: Any = engine.create_execution_context()
            if self._context is None:
                raise CudaError("no memory for the execution context of the engine")
            self._held.callback(self._drop_context)
            self._arrays = {name: self._place(name) for name in self.specs}
        except BaseException:
            self.close()
            raise

    def __call__(
        self, inputs: Mapping[str, NDArray[Any]], wanted: Mapping[str, int | None] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run the engine; returns the outputs ``wanted``, None: all. Others stay on the device.

        Of an output only as many values along its last axis as ``wanted`` says are copied, None: all.
        An input that is left out is what it was the last time (0 before the first). The results are views:
        valid until the next call. Raises ValueError for an input that does not fit, CudaError where the
        device fails; then this object is of no more use.
        """
        if self._context is None:
            raise RuntimeError("the engine has been closed")
        self._gpu.make_current()
        for name, value in inputs.items():
            place = self._arrays[name]
            if value.shape != place.array.shape:
                raise ValueError(f"expected {name} of shape {place.array.shape}, got {value.shape}")
            np.copyto(place.array, value, casting="same_kind")
            place.upload(self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            raise CudaError("TensorRT could not start the engine")
        names = [name for name, spec in self.specs.items() if not spec.is_input]
        columns = dict.fromkeys(names) if wanted is None else wanted
        outputs = {
            name: self._arrays[name].download(self._stream, columns[name])
            for name in names
            if name in columns
        }
        self._stream.synchronize()
        return outputs

    def close(self) -> None:
        """Free everything. A device that has failed frees nothing any more: that is no error."""
        with contextlib.suppress(CudaError):
            self._gpu.make_current()
            self._held.close()
        self._context = None

    def _place(self, name: str) -> MirroredArray:
        spec = self.specs[name]
        if min(spec.shape, default=1) < 0:
            raise UserError(
                f"expected an engine of static shapes, its {name} is {spec.shape}: build it again"
            )
        place = MirroredArray(self._gpu.driver, spec.shape, spec.dtype)
        self._held.callback(place.close)
        if spec.is_input:
            place.array.fill(0)
            place.upload(self._stream)
        self._context.set_tensor_address(name, place.address)
        return place

    def _drop_context(self) -> None:
        self._context = None
