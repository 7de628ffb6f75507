"""Which of some blocks lie beside each other."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.hash_index import find_row, put_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import BITS, MASK, NO_KEY, bounds_of

_HALF = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
STEPS = np.array(sorted(_HALF, key=lambda step: np.abs(step).sum()), np.int64)
"""To half of the blocks around a block, those that share a face first; the others see it as theirs."""
FACES = 3
_KEY_STEPS = STEPS @ np.array([1 << (2 * BITS), 1 << BITS, 1], np.int64)
_MOST_CELLS = 512
"""Places for each block in a picture of where they are; fewer blocks to a place are looked up one by one."""


@kernel
def neighbours_of(block_keys: NDArray[np.int64]) -> NDArray[np.int32]:
    """(n, 13) numbers of the blocks that are each of STEPS away from the (n,) distinct ones; -1: none."""
    found = np.empty((block_keys.size, STEPS.shape[0]), np.int32)
    low_x, low_y, low_z, high_x, high_y, high_z = bounds_of(block_keys)
    # One more on each side: no step leads out of the picture.
    deep, high = high_y - low_y + 3, high_z - low_z + 3
    cells = np.float64(high_x - low_x + 3) * deep * high  # of a whole world more than fit into an integer
    if cells > _MOST_CELLS * block_keys.size:
        _look_up(block_keys, found)
        return found
    picture = np.full(np.int64(cells), np.int32(-1))
    first = ((low_x - 1) * deep + low_y - 1) * high + low_z - 1
    places = np.empty(block_keys.size, np.int64)
    for i in range(block_keys.size):
        key = block_keys[i]
        places[i] = ((key >> (2 * BITS)) * deep + ((key >> BITS) & MASK)) * high + (key & MASK) - first
        picture[places[i]] = i
    for step in range(STEPS.shape[0]):
        away = (STEPS[step, 0] * deep + STEPS[step, 1]) * high + STEPS[step, 2]
        for i in range(block_keys.size):
            found[i, step] = picture[np.uint64(places[i] + away)]
    return found


@kernel
def _look_up(block_keys: NDArray[np.int64], found: NDArray[np.int32]) -> None:
    """Blocks that are far from each other."""
    slots = 16
    while slots < 2 * block_keys.size:
        slots *= 2
    slot_keys, slot_rows = np.full(slots, NO_KEY, np.int64), np.empty(slots, np.int32)
    for i in range(block_keys.size):
        put_row(slot_keys, slot_rows, block_keys[i], i)
    for i in range(block_keys.size):
        for step in range(_KEY_STEPS.size):
            found[i, step] = find_row(slot_keys, slot_rows, block_keys[i] + _KEY_STEPS[step])
