"""The few calls of the CUDA driver that running an engine takes: memory, copies, a stream.

By ctypes from ``libcuda``, which comes with the driver of every NVIDIA GPU (Jetson, server, PC): no toolkit
and no package made for one version of CUDA. Names and constants are those of NVIDIA's ``cuda.h``.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError

LIBRARY = "libcuda.so.1"

_OUT_OF_MEMORY = 2
_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*"""

_SIGNATURES: dict[str, list[Any]] = {
    "cuInit": [ctypes.c_uint],
    "cuDeviceGet": [ctypes.POINTER(ctypes.c_int), ctypes.c_int],
    "cuDeviceGetCount": [ctypes.POINTER(ctypes.c_int)],
    "cuDeviceGetName": [ctypes.c_char_p, ctypes.c_int, ctypes.c_int],
    "cuDeviceGetAttribute": [ctypes.POINTER(ctypes.c_int), ctypes.c_int, ctypes.c_int],
    "cuDevicePrimaryCtxRetain": [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int],
    "cuDevicePrimaryCtxRelease_v2": [ctypes.c_int],
    "cuCtxSetCurrent": [ctypes.c_void_p],
    "cuMemAlloc_v2": [ctypes.POINTER(ctypes.c_uint64), ctypes.c_size_t],
    "cuMemFree_v2": [ctypes.c_uint64],
    "cuMemHostAlloc": [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_uint],
    "cuMemFreeHost": [ctypes.c_void_p],
    "cuMemcpyHtoDAsync_v2": [ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p],
    "cuMemcpyDtoHAsync_v2": [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_void_p],
    "cuMemcpy2DAsync_v2": [ctypes.c_void_p, ctypes.c_void_p],
    "cuStreamCreate": [ctypes.POINTER(ctypes.c_void_p), ctypes.c_uint],
    "cuStreamDestroy_v2": [ctypes.c_void_p],
    "cuStreamSynchronize": [ctypes.c_void_p],
    "cuGetErrorString": [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)],
}


_HOST, _DEVICE = 1, 2
"""CU_MEMORYTYPE_*"""


class _Copy2d(ctypes.Structure):
    """CUDA_MEMCPY2D: so many rows of so many bytes, which lie ``pitch`` bytes apart on either side."""

    _fields_ = (
        ("source_x", ctypes.c_size_t),
        ("source_y", ctypes.c_size_t),
        ("source_type", ctypes.c_int),
        ("source_host", ctypes.c_void_p),
        ("source_device", ctypes.c_uint64),
        ("source_array", ctypes.c_void_p),
        ("source_pitch", ctypes.c_size_t),
        ("target_x", ctypes.c_size_t),
        ("target_y", ctypes.c_size_t),
        ("target_type", ctypes.c_int),
        ("target_host", ctypes.c_void_p),
        ("target_device", ctypes.c_uint64),
        ("target_array", ctypes.c_void_p),
        ("target_pitch", ctypes.c_size_t),
        ("width", ctypes.c_size_t),
        ("height", ctypes.c_size_t),
    )


class CudaError(RuntimeError):
    """A call of the driver failed; what it worked on is lost."""


class CudaOutOfMemory(CudaError):
    """The device (on a Jetson: the machine) has no memory left."""


class Driver:
    """The library; every method is one of its functions and raises CudaError where that fails."""

    def __init__(self, library: str = LIBRARY) -> None:
        """Load it. Raises UserError where there is no driver or no device."""
        try:
            self._library = ctypes.CDLL(library)
            for name, arguments in _SIGNATURES.items():
                getattr(self._library, name).argtypes = arguments
        except (OSError, AttributeError) as error:
            raise UserError(
                f"there is no NVIDIA driver here ({error}): running an engine takes a GPU"
            ) from error
        count = ctypes.c_int()
        try:
            self.call("cuInit", 0)
            self.call("cuDeviceGetCount", ctypes.byref(count))
        except CudaError as error:
            raise UserError(f"the NVIDIA driver finds no usable GPU: {error}") from error
        if count.value == 0:
            raise UserError("the NVIDIA driver finds no GPU: running an engine takes one")

    def call(self, name: str, *arguments: Any) -> None:
        """Call the function ``name`` of the driver."""
        status: int = getattr(self._library, name)(*arguments)
        if status == 0:
            return
        text = ctypes.c_char_p()
        self._library.cuGetErrorString(status, ctypes.byref(text))
        reason = (text.value or b"unknown").decode(errors="replace")
        kind = CudaOutOfMemory if status == _OUT_OF_MEMORY else CudaError
        raise kind(f"{name}: {reason} (CUDA error {status})")


class Gpu:
    """The first device, in the context that TensorRT and torch use too.

    name                such as "Orin"
    compute_capability  such as "8.7"

    Raises UserError where there is none.
    """

    def __init__(self, driver: Driver | None = None) -> None:
        self.driver = driver or _driver()
        self._device = ctypes.c_int()
        self.driver.call("cuDeviceGet", ctypes.byref(self._device), 0)
        text = ctypes.create_string_buffer(256)
        self.driver.call("cuDeviceGetName", text, len(text), self._device)
        self.name = text.value.decode(errors="replace")
        self.compute_capability = f"{self._attribute(_MAJOR)}.{self._attribute(_MINOR)}"
        self._context = ctypes.c_void_p()
        self.driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)

    def make_current(self) -> None:
        """For the calling thread, which may be another one every time."""
        self.driver.call("cuCtxSetCurrent", self._context)

    def close(self) -> None:
        """Give the context back; all memory and streams must have been freed."""
        if self._context:
            self.driver.call("cuDevicePrimaryCtxRelease_v2", self._device)
            self._context = ctypes.c_void_p()

    def _attribute(self, attribute: int) -> int:
        value = ctypes.c_int()
        self.driver.call("cuDeviceGetAttribute", ctypes.byref(value), attribute, self._device)
        return value.value


@functools.cache
def _driver() -> Driver:
    return Driver()


class Stream:
    """A queue of copies and kernels."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._handle = ctypes.c_void_p()
        driver.call("cuStreamCreate", ctypes.byref(self._handle), 1)  # CU_STREAM_NON_BLOCKING

    @property
    def handle(self) -> int:
        """As TensorRT takes it."""
        return self._handle.value or 0

    def synchronize(self) -> None:
        """Wait until all is done. Raises CudaError for whatever went wrong on the device before."""
        self._driver.call("cuStreamSynchronize", self._handle)

    def close(self) -> None:
        """Free it."""
        if self._handle:
            self._driver.call("cuStreamDestroy_v2", self._handle)
            self._handle = ctypes.c_void_p()


class MirroredArray:
    """An array in pinned memory of the host and a place of the same size on the device.

    array    what the host sees; invalid after ``close``
    address  of the place on the device
    """

    def __init__(self, driver: Driver, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._driver = driver
        self._host, self._device = ctypes.c_void_p(), ctypes.c_uint64()
        self.nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        try:
            driver.call("cuMemHostAlloc", ctypes.byref(self._host), self.nbytes, 0)
            driver.call("cuMemAlloc_v2", ctypes.byref(self._device), self.nbytes)
        except CudaError:
            self.close()
            raise
        assert self._host.value is not None
        view = (ctypes.c_uint8 * self.nbytes).from_address(self._host.value)
        self.array: NDArray[Any] = np.frombuffer(memoryview(view), dtype=dtype).reshape(shape)

    @property
    def address(self) -> int:
        """Of the place on the device."""
        return self._device.value

    def upload(self, stream: Stream) -> None:
        """Queue the copy to the device."""
        self._driver.call("cuMemcpyHtoDAsync_v2", self._device, self._host, self.nbytes, stream.handle)

    def download(self, stream: Stream, columns: int | None = None) -> NDArray[Any]:
        """Queue the copy to the host of the first ``columns`` values of each row (last axis), None: all.

        What is returned holds them, side by side, when the stream is done, until the next copy.
        """
        shape = self.array.shape
        if columns is None or columns == shape[-1]:
            self._driver.call("cuMemcpyDtoHAsync_v2", self._host, self._device, self.nbytes, stream.handle)
            return self.array
        width = columns * self.array.itemsize
        copy = _Copy2d(
            source_type=_DEVICE,
            source_device=self._device,
            source_pitch=shape[-1] * self.array.itemsize,
            target_type=_HOST,
            target_host=self._host,
            target_pitch=width,
            width=width,
            height=self.array.size // shape[-1],
        )
        self._driver.call("cuMemcpy2DAsync_v2", ctypes.byref(copy), stream.handle)
        rows = (*shape[:-1], columns)
        return self.array.reshape(-1)[: int(np.prod(rows))].reshape(rows)

    def close(self) -> None:
        """Free both places."""
        if self._device:
            self._driver.call("cuMemFree_v2", self._device)
            self._device = ctypes.c_uint64()
        if self._host:
            self._driver.call("cuMemFreeHost", self._host)
            self._host = ctypes.c_void_p()
