"""Voxels as a box around them is fitted to: seen from above and from the side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import count_bits
from rgbd_perception.mapping.blocks import SIDE, write_keys
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import BITS, MASK, OFFSET, bounds_of
from rgbd_perception.mapping.sorting import sort

_MOST_CELLS = 16
"""Places in a picture of the footprint for each voxel."""
_ROW, _EVERY_ROW = np.uint64((1 << SIDE) - 1), np.uint64(0x0101010101010101)


class Pictures(NamedTuple):
    """Vertical columns of voxels, ordered by x, then y: their ``middles`` (2, n), in voxels, and the number
    of ``voxels`` in each (n,). The ``bottom`` height, and how many are at each from it on, ``heights``."""

    middles: NDArray[np.float64]
    voxels: NDArray[np.int64]
    bottom: int
    heights: NDArray[np.int32]


@kernel
def pictures_of_keys(keys: NDArray[np.int64]) -> Pictures:
    """Of the voxels with the keys (n,), n > 0."""
    low_x = high_x = keys[0]  # x is the highest part of a key
    low_y = high_y = keys[0] & (MASK << BITS)
    low_z = high_z = keys[0] & MASK
    for key in keys:
        y, z = key & (MASK << BITS), key & MASK
        low_x, high_x = min(low_x, key), max(high_x, key)
        low_y, high_y = min(low_y, y), max(high_y, y)
        low_z, high_z = min(low_z, z), max(high_z, z)
    low_x, low_y = low_x >> (2 * BITS), low_y >> BITS
    wide, deep = (high_x >> (2 * BITS)) - low_x + 1, (high_y >> BITS) - low_y + 1
    heights = np.zeros(high_z - low_z + 1, np.int32)
    if wide * deep > _MOST_CELLS * keys.size:
        for key in keys:
            heights[(key & MASK) - low_z] += 1
        middles, voxels = _sorted_columns(keys)
        return Pictures(middles, voxels, low_z - OFFSET, heights)
    cells = np.zeros((wide, deep), np.int32)
    first, flat = low_x * deep + low_y, cells.reshape(-1)
    for key in keys:  # unsigned: numba would look for negative indices
        flat[np.uint64((key >> (2 * BITS)) * deep + ((key >> BITS) & MASK) - first)] += 1
        heights[np.uint64((key & MASK) - low_z)] += 1
    middles, voxels = _columns(cells, low_x, low_y)
    return Pictures(middles, voxels, low_z - OFFSET, heights)


@kernel
def pictures_of_masks(corners: NDArray[np.int64], masks: NDArray[np.uint64]) -> Pictures:
    """Of the voxels in the ``masks`` (m, 8) of blocks whose first voxels have the keys ``corners`` (m,), the
    same block any number of times, no voxel twice, m > 0."""
    low_x, low_y, low_z, high_x, high_y, high_z = bounds_of(corners)
    total = 0
    for i in range(corners.size):
        for layer in range(SIDE):
            total += count_bits(masks[i, layer])
    wide, deep = high_x - low_x + SIDE, high_y - low_y + SIDE
    if wide * deep > _MOST_CELLS * max(total, SIDE * SIDE):
        return pictures_of_keys(_keys_in(corners, masks, total))
    heights, cells = np.zeros(high_z - low_z + SIDE, np.int32), np.zeros((wide, deep), np.int32)
    for i in range(corners.size):
        x, y = (corners[i] >> (2 * BITS)) - low_x, ((corners[i] >> BITS) & MASK) - low_y
        z = (corners[i] & MASK) - low_z
        for layer in range(SIDE):
            mask = masks[i, layer]
            if mask == 0:
                continue
            for row in range(SIDE):
                cells[x + layer, y + row] += count_bits((mask >> np.uint64(SIDE * row)) & _ROW)
                heights[z + row] += count_bits((mask >> np.uint64(row)) & _EVERY_ROW)
    middles, voxels = _columns(cells, low_x, low_y)
    return Pictures(middles, voxels, low_z - OFFSET, heights)


@kernel
def _keys_in(corners: NDArray[np.int64], masks: NDArray[np.uint64], total: int) -> NDArray[np.int64]:
    keys, count = np.empty(total, np.int64), 0
    for i in range(corners.size):
        count += write_keys(corners[i], masks[i], 0, SIDE, keys[count:])
    return keys


@kernel
def _columns(
    cells: NDArray[np.int32], low_x: int, low_y: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Middles and voxels of the columns of a picture from above (w, d)."""
    count = np.count_nonzero(cells)
    middles, voxels = np.empty((2, count)), np.empty(count, np.int64)
    place = 0
    for x in range(cells.shape[0]):
        for y in range(cells.shape[1]):
            if cells[x, y]:
                middles[0, place], middles[1, place] = low_x + x - OFFSET + 0.5, low_y + y - OFFSET + 0.5
                voxels[place] = cells[x, y]
                place += 1
    return middles, voxels


@kernel
def _sorted_columns(keys: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The columns of voxels that lie so far from each other that a picture of them would be mostly empty."""
    codes = keys >> BITS
    sort(codes)
    firsts = np.empty(codes.size + 1, np.int64)
    count = 0
    for i in range(codes.size):
        if i == 0 or codes[i] != codes[i - 1]:
            firsts[count] = i
            count += 1
    firsts[count] = codes.size
    middles, voxels = np.empty((2, count)), np.empty(count, np.int64)
    for place in range(count):
        code = codes[firsts[place]]
        middles[0, place] = (code >> BITS) - OFFSET + 0.5
        middles[1, place] = (code & MASK) - OFFSET + 0.5
        voxels[place] = firsts[place + 1] - firsts[place]
    return middles, voxels
