"""A GPU that is none: driver and TensorRT of ``standin``, for tests of everything around an engine."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from rgbd_perception.inference.cuda_driver import Driver, Gpu
from rgbd_perception.inference.tensorrt_api import TensorRt
from test.inference.standin import tensorrt as standin_tensorrt

OUT_OF_MEMORY, LAUNCH_FAILED = 2, 719


class StandinGpu(Gpu):
    """``fail`` makes one function of its driver fail from now on, ``live`` counts what was not freed."""

    def __init__(self, library: Path) -> None:
        self._standin = ctypes.CDLL(str(library))
        self._standin.standin_live.restype = ctypes.c_long
        self._standin.standin_copied.restype = ctypes.c_long
        self.fail("", 0)
        super().__init__(Driver(str(library)))

    def fail(self, function: str, status: int) -> None:
        """``function`` returns ``status`` from now on; status 0: it works again."""
        self._standin.standin_fail(function.encode(), status)

    @property
    def live(self) -> int:
        """Allocations and streams that were not freed."""
        return int(self._standin.standin_live())

    def copied(self) -> int:
        """Bytes that were copied since the last call."""
        return int(self._standin.standin_copied())


@pytest.fixture(scope="session")
def standin_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver, compiled."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler: the stand-in for the CUDA driver cannot be compiled")
    library = tmp_path_factory.mktemp("driver") / "libcuda.so.1"
    source = Path(__file__).parent / "standin" / "libcuda.cpp"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", str(source), "-o", str(library)], check=True)
    return library


@pytest.fixture
def gpu(standin_library: Path) -> StandinGpu:
    """A GPU on which nothing fails yet."""
    return StandinGpu(standin_library)


@pytest.fixture
def api() -> TensorRt:
    """TensorRT 10.3, which is ONNX Runtime."""
    return TensorRt(standin_tensorrt)
