"""Reproducible randomness for textures (numba kernels): hash and value noise."""

from __future__ import annotations

import numpy as np
from numba import uint32

from rgbd_perception.sources.synthetic.jit import kernel


@kernel
def hash01(x: int, y: int, z: int) -> float:
    """Pseudo random number in 0..1 for three integers, the same on every machine."""
    h = uint32(x) * uint32(374761393) + uint32(y) * uint32(668265263) + uint32(z) * uint32(2147483647)
    h = uint32((h ^ (h >> uint32(13))) * uint32(1274126177))
    h = uint32((h ^ (h >> uint32(16))) * uint32(2246822519))
    h = uint32(h ^ (h >> uint32(15)))
    return float(h) / 4294967296.0


@kernel
def noise(x: float, y: float, z: float) -> float:
    """Value noise in 0..1 with features of size one."""
    ix, iy, iz = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    fx, fy, fz = x - ix, y - iy, z - iz
    fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    a = hash01(ix, iy, iz) * (1 - fx) + hash01(ix + 1, iy, iz) * fx
    b = hash01(ix, iy + 1, iz) * (1 - fx) + hash01(ix + 1, iy + 1, iz) * fx
    c = hash01(ix, iy, iz + 1) * (1 - fx) + hash01(ix + 1, iy, iz + 1) * fx
    d = hash01(ix, iy + 1, iz + 1) * (1 - fx) + hash01(ix + 1, iy + 1, iz + 1) * fx
    return (a * (1 - fy) + b * fy) * (1 - fz) + (c * (1 - fy) + d * fy) * fz


@kernel
def frac(value: float) -> float:
    return value - np.floor(value)


@kernel
def step(condition: bool) -> float:
    return 1.0 if condition else 0.0
