"""Voxel coordinates packed into one int64: 21 bits an axis, so a map may span 2**21 voxels each way."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

BITS = 21
OFFSET = 1 << (BITS - 1)
MASK = (1 << BITS) - 1
NO_KEY = -1
"""Key of a row or table slot that holds no voxel (packed keys are never negative)."""


@kernel
def pack_one(x: int, y: int, z: int) -> int:
    """Key of integer voxel coordinates, or NO_KEY where they lie outside the 21 bits of an axis."""
    x += OFFSET
    y += OFFSET
    z += OFFSET
    if (x | y | z) < 0 or (x | y | z) > MASK:
        return NO_KEY
    return (x << (2 * BITS)) | (y << BITS) | z


def pack(coordinates: NDArray[Any]) -> NDArray[np.int64]:
    """(..., 3) integer voxel coordinates -> (...) int64 keys; NO_KEY where a coordinate is out of range."""
    shifted = np.asarray(coordinates, dtype=np.int64) + OFFSET
    keys = (shifted[..., 0] << (2 * BITS)) | (shifted[..., 1] << BITS) | shifted[..., 2]
    inside = np.all((shifted >= 0) & (shifted <= MASK), axis=-1)
    return np.where(inside, keys, NO_KEY)


class KeyBounds(NamedTuple):
    """Lowest and highest coordinates of some keys, plus OFFSET."""

    low_x: int
    low_y: int
    low_z: int
    high_x: int
    high_y: int
    high_z: int


@kernel
def bounds_of(keys: NDArray[np.int64]) -> KeyBounds:
    """Of the keys (n,), n > 0."""
    low_x = high_x = keys[0] >> (2 * BITS)
    low_y = high_y = (keys[0] >> BITS) & MASK
    low_z = high_z = keys[0] & MASK
    for key in keys:
        x, y, z = key >> (2 * BITS), (key >> BITS) & MASK, key & MASK
        low_x, high_x = min(low_x, x), max(high_x, x)
        low_y, high_y = min(low_y, y), max(high_y, y)
        low_z, high_z = min(low_z, z), max(high_z, z)
    return KeyBounds(low_x, low_y, low_z, high_x, high_y, high_z)


def unpack(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) keys -> (n, 3) integer voxel coordinates."""
    keys = np.asarray(keys, dtype=np.int64)
    axes = [keys >> (2 * BITS), (keys >> BITS) & MASK, keys & MASK]
    return np.stack(axes, axis=-1) - OFFSET


def centers(keys: NDArray[np.int64], voxel_size: float) -> NDArray[np.float32]:
    """(n,) keys -> (n, 3) float32 centres of the voxels in metres, map frame."""
    return ((unpack(keys) + 0.5) * voxel_size).astype(np.float32)
