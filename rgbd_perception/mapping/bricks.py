"""Voxels by place: cubes of 4 x 4 x 4 voxels, each one word of 64 bits and a run of voxel numbers.

A hash of voxels answers one question per look-up; 62 neighbours of a million voxels are 62 million. Here a
look-up finds a cube, and its word says at once which of the 64 voxels are there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import count_bits
from rgbd_perception.mapping.hash_index import find_row, put_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import BITS, NO_KEY

_SIDE = 4
_LOW_BITS = (3 << (2 * BITS)) | (3 << BITS) | 3
BRICK_STEP = np.array([_SIDE << (2 * BITS), _SIDE << BITS, _SIDE], np.int64)
"""Differences of key between a brick and the next one along x, y, z."""


@kernel
def brick_and_cell(key: int) -> tuple[int, int]:
    """(key of the brick, number 0..63 of the voxel in it)."""
    cell = ((key >> (2 * BITS)) & 3) << 4 | ((key >> BITS) & 3) << 2 | (key & 3)
    return key & ~_LOW_BITS, cell


@kernel
def place_in_brick(occupied: np.uint64, cell: int) -> int:
    """How many voxels of the brick come before ``cell``."""
    return count_bits(occupied & ((np.uint64(1) << np.uint64(cell)) - np.uint64(1)))


class Bricks:
    """(n,) distinct packed keys, found by place.

    ``brick_keys`` (b,); ``occupied`` (b,) uint64, one bit per voxel; ``members`` (n,) numbers of the voxels,
    those of brick i in order of their cells from ``starts[i]`` on; ``slot_keys``, ``slot_rows``: the hash of
    the bricks.
    """

    def __init__(self, keys: NDArray[np.int64]) -> None:
        keys = np.ascontiguousarray(keys)
        self._brick_of = np.empty(keys.size, np.int32)
        slots = 1 << max(4, int(keys.size // 4).bit_length())
        bricks = -1
        while bricks < 0:  # most maps have a dozen voxels in a brick; scattered ones need a larger table
            self.slot_keys = np.full(slots, NO_KEY, np.int64)
            self.slot_rows = np.empty(slots, np.int32)
            brick_keys = np.empty(slots // 2, np.int64)
            occupied = np.zeros(slots // 2, np.uint64)
            bricks = _enter(keys, self.slot_keys, self.slot_rows, brick_keys, occupied, self._brick_of)
            slots *= 2
        self.brick_keys, self.occupied = brick_keys[:bricks].copy(), occupied[:bricks].copy()
        self.starts = np.empty(bricks, np.int32)
        self.members = np.empty(keys.size, np.int32)
        _sort_in(keys, self._brick_of, self.occupied, self.starts, self.members)

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """(m,) numbers of the voxels with these keys, -1 where there is none."""
        found = np.empty(keys.size, np.int32)
        _find(
            np.ascontiguousarray(keys), self.slot_keys, self.slot_rows, self.occupied, self.starts,
            self.members, found,
        )  # fmt: skip
        return found


@kernel
def _enter(
    keys: NDArray[np.int64],
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    brick_keys: NDArray[np.int64],
    occupied: NDArray[np.uint64],
    brick_of: NDArray[np.int32],
) -> int:
    """Mark all voxels; number of bricks, or -1 where the table is too small."""
    used, last, brick = 0, -1, -1
    for i in range(keys.size):
        brick_key, cell = brick_and_cell(keys[i])
        if brick_key != last:
            if used == brick_keys.size:
                brick = find_row(slot_keys, slot_rows, brick_key)
                if brick < 0:
                    return -1
            else:
                brick = put_row(slot_keys, slot_rows, brick_key, used)
                if brick == used:
                    brick_keys[used] = brick_key
                    used += 1
            last = brick_key
        occupied[brick] |= np.uint64(1) << np.uint64(cell)
        brick_of[i] = brick
    return used


@kernel
def _sort_in(
    keys: NDArray[np.int64],
    brick_of: NDArray[np.int32],
    occupied: NDArray[np.uint64],
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
) -> None:
    total = 0
    for brick in range(occupied.size):
        starts[brick] = total
        total += count_bits(occupied[brick])
    for i in range(keys.size):
        _, cell = brick_and_cell(keys[i])
        members[starts[brick_of[i]] + place_in_brick(occupied[brick_of[i]], cell)] = i


@kernel
def _find(
    keys: NDArray[np.int64],
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    occupied: NDArray[np.uint64],
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    found: NDArray[np.int32],
) -> None:
    last, brick = -1, -1
    for i in range(keys.size):
        brick_key, cell = brick_and_cell(keys[i])
        if brick_key != last:
            brick, last = find_row(slot_keys, slot_rows, brick_key), brick_key
        found[i] = -1
        if brick >= 0 and (occupied[brick] >> np.uint64(cell)) & np.uint64(1):
            found[i] = members[starts[brick] + place_in_brick(occupied[brick], cell)]
