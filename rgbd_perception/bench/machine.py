"""What this machine can do at best: memory bandwidth, matrix products, writing a file.

Every other figure is read beside these of the same run: they tell a slow machine from slow code.
"""

from __future__ import annotations

import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.bench.timings import milliseconds_of, repeat

_COPY_BYTES = 256 << 20
"""Copied from and to: far beyond every cache."""
_SGEMM_SIDE = 1536


def usable_cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """Model of the processor as Linux names it, else the architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def memory_bandwidth_gb_s(repeats: int = 7, nbytes: int = _COPY_BYTES) -> float:
    """GB/s of the COPY of STREAM (McCalpin 1995): bytes read plus bytes written, all cores, best run."""
    cores = usable_cores()
    source = np.ones(nbytes // 8, np.float64)
    target = np.zeros_like(source)
    pieces = list(zip(np.array_split(source, cores), np.array_split(target, cores), strict=True))

    def copy(piece: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
        np.copyto(piece[1], piece[0])  # releases the GIL

    with ThreadPoolExecutor(cores) as pool:
        best_ms = repeat(lambda: list(pool.map(copy, pieces)), repeats).best
    return round(2 * source.nbytes / best_ms / 1e6, 2)


def sgemm_gflops(repeats: int = 5, side: int = _SGEMM_SIDE) -> float:
    """GFLOP/s of a float32 matrix product by NumPy's BLAS with the threads it takes, best run."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)
    best_ms = repeat(lambda: np.matmul(a, b, out=out), repeats).best
    return round(2 * side**3 / best_ms / 1e6, 1)


def file_write_s(path: Path, nbytes: int) -> float:
    """Seconds to write ``nbytes`` to a new file at ``path`` and fsync it; the file is removed."""
    block = np.random.default_rng(0).bytes(1 << 20)

    def write() -> None:
        with path.open("wb") as file:
            for first in range(0, nbytes, len(block)):
                file.write(block[: nbytes - first])
            file.flush()
            os.fsync(file.fileno())

    try:
        return milliseconds_of(write) / 1e3
    finally:
        path.unlink(missing_ok=True)


def available_bytes() -> int | None:
    """Memory that can be had without swapping, as Linux estimates it; None elsewhere."""
    return _proc_kib("/proc/meminfo", "MemAvailable")


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system is not Linux."""
    return _proc_kib("/proc/self/status", "VmRSS")


def _proc_kib(path: str, name: str) -> int | None:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    values = [int(line.split()[1]) for line in lines if line.startswith(f"{name}:")]
    return values[0] * 1024 if values else None
