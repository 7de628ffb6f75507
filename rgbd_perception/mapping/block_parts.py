"""Connected parts of blocks of 8 x 8 x 8 voxels, a word of 64 bits for every layer of 8 x 8.

A mask is (8,) uint64 as in ``BlockIndex.bits``: word x, bit 8 y + z. Voxels are connected when they differ by
at most ``radius`` along every axis, so growing a mask by that much is three passes of shifts, one an axis.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.blocks import SIDE
from rgbd_perception.mapping.clusters import root_of
from rgbd_perception.mapping.hash_index import find_row, put_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import BITS, NO_KEY

_HALF = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
STEPS = np.array(sorted(_HALF, key=lambda step: np.abs(step).sum()), np.int64)
"""To half of the blocks around a block, those that share a face first; the others see it as theirs."""
_KEY_STEPS = STEPS @ np.array([1 << (2 * BITS), 1 << BITS, 1], np.int64)
_NONE, _ONE = np.uint64(0), np.uint64(1)
_EVERY_ROW = np.uint64(0x0101010101010101)
_BITS = np.uint64(SIDE * SIDE)


@kernel
def _low(count: int) -> np.uint64:
    """The bits of the first ``count`` z in every y."""
    return _EVERY_ROW * ((_ONE << np.uint64(count)) - _ONE)


@kernel
def _grown_layer(layer: np.uint64, radius: int, step_y: int, step_z: int) -> np.uint64:
    """What lies within ``radius`` of the voxels of a layer in y and z, as seen in the layer beside it."""
    grown = layer if step_z == 0 else _NONE
    for distance in range(1, radius + 1):
        near, far = np.uint64(distance), np.uint64(SIDE - distance)
        if step_z >= 0:
            low = _low(SIDE - distance)
            grown |= (layer & low) << near if step_z == 0 else (layer & ~low) >> far
        if step_z <= 0:
            low = _low(distance)
            grown |= (layer & ~low) >> near if step_z == 0 else (layer & low) << far
    layer, grown = grown, grown if step_y == 0 else _NONE
    for distance in range(1, radius + 1):
        near, far = np.uint64(SIDE * distance), np.uint64(SIDE * (SIDE - distance))
        if step_y >= 0:
            grown |= layer << near if step_y == 0 else layer >> far
        if step_y <= 0:
            grown |= layer >> near if step_y == 0 else layer << far
    return grown


@kernel
def grow(mask: NDArray[np.uint64], radius: int, step: NDArray[np.int64], grown: NDArray[np.uint64]) -> None:
    """Write what lies within ``radius`` of the voxels of ``mask`` in the block that is ``step`` away, each of
    -1, 0, 1 along an axis."""
    grown[:] = _NONE
    for x in range(SIDE):
        if mask[x] == _NONE:
            continue
        first, last = max(x - radius - SIDE * step[0], 0), min(x + radius - SIDE * step[0], SIDE - 1)
        if first > last:
            continue
        layer = _grown_layer(mask[x], radius, step[1], step[2])
        for other in range(first, last + 1):
            grown[other] |= layer


@kernel
def _borders(
    radius: int, steps: NDArray[np.int64], layers: NDArray[np.uint64], rows: NDArray[np.uint64]
) -> None:
    """Where a mask must have voxels to reach the block that is a step away (s, 3): in some of the ``layers``
    (s,), a bit for each x, and in some of the ``rows`` (s,), bits as in a layer."""
    every = ~_NONE
    for i in range(steps.shape[0]):
        low, high = _low(radius), every ^ _low(SIDE - radius)
        rows[i] = every if steps[i, 2] == 0 else (high if steps[i, 2] > 0 else low)
        low = (_ONE << np.uint64(SIDE * radius)) - _ONE
        high = every ^ ((_ONE << np.uint64(SIDE * (SIDE - radius))) - _ONE)
        rows[i] &= every if steps[i, 1] == 0 else (high if steps[i, 1] > 0 else low)
        low = (_ONE << np.uint64(radius)) - _ONE
        high = low << np.uint64(SIDE - radius)
        layers[i] = every if steps[i, 0] == 0 else (high if steps[i, 0] > 0 else low)


@kernel
def _outline(parts: NDArray[np.uint64], layers: NDArray[np.uint64], rows: NDArray[np.uint64]) -> None:
    """Which layers of each part (p, 8) have voxels, and all of them in one layer."""
    for part in range(parts.shape[0]):
        layers[part] = rows[part] = _NONE
        for x in range(SIDE):
            rows[part] |= parts[part, x]
            if parts[part, x] != _NONE:
                layers[part] |= _ONE << np.uint64(x)


@kernel
def _any_common(mask: NDArray[np.uint64], other: NDArray[np.uint64]) -> bool:
    common = _NONE
    for x in range(SIDE):
        common |= mask[x] & other[x]
    return common != _NONE


@kernel
def _take_part(left: NDArray[np.uint64], radius: int, part: NDArray[np.uint64]) -> None:
    """Move the connected part around the first voxel of the mask ``left`` to ``part``."""
    x = 0
    while left[x] == _NONE:
        x += 1
    part[:] = _NONE
    part[x] = left[x] & (~left[x] + _ONE)
    changed = True
    while changed:
        changed = False
        # To and fro through the layers: what was reached in one is seen by the next at once.
        for turn in range(2 * SIDE):
            x = turn if turn < SIDE else 2 * SIDE - 1 - turn
            if left[x] & ~part[x] == _NONE:
                continue
            near = _NONE
            for other in range(max(x - radius, 0), min(x + radius + 1, SIDE)):
                near |= part[other]
            reached = part[x] | (_grown_layer(near, radius, 0, 0) & left[x])
            if reached != part[x]:
                part[x] = reached
                changed = True
    for x in range(SIDE):
        left[x] &= ~part[x]


@kernel
def find_parts(masks: NDArray[np.uint64], radius: int, first: NDArray[np.int32]) -> NDArray[np.uint64]:
    """(p, 8) connected parts of the masks (n, 8), none empty; those of mask i from ``first[i]`` on, which is
    (n + 1,)."""
    parts = np.empty((2 * masks.shape[0] + SIDE, SIDE), np.uint64)
    left, count = np.empty(SIDE, np.uint64), 0
    for i in range(masks.shape[0]):
        first[i] = count
        left[:] = masks[i]
        while left.any():
            if count == parts.shape[0]:
                more = np.empty((2 * count, SIDE), np.uint64)
                more[:count] = parts
                parts = more
            _take_part(left, radius, parts[count])
            count += 1
    first[masks.shape[0]] = count
    return parts[:count]


@kernel
def join_parts(
    block_keys: NDArray[np.int64],
    parts: NDArray[np.uint64],
    first: NDArray[np.int32],
    radius: int,
    steps: NDArray[np.int64],
    key_steps: NDArray[np.int64],
    parent: NDArray[np.int32],
) -> None:
    """Connect the parts of neighbouring blocks in ``parent`` (p,), where each was its own. ``block_keys``
    (n,) are distinct, ``first`` is that of find_parts."""
    slots = 16
    while slots < 2 * block_keys.size:
        slots *= 2
    slot_keys, slot_rows = np.full(slots, NO_KEY, np.int64), np.empty(slots, np.int32)
    for i in range(block_keys.size):
        put_row(slot_keys, slot_rows, block_keys[i], i)
    borders = np.empty((4, key_steps.size), np.uint64)
    _borders(radius, steps, borders[0], borders[1])
    _borders(radius, -steps, borders[2], borders[3])
    layers, rows = np.empty(parts.shape[0], np.uint64), np.empty(parts.shape[0], np.uint64)
    _outline(parts, layers, rows)
    grown = np.empty(SIDE, np.uint64)
    for number in range(key_steps.size):
        for i in range(block_keys.size):
            all_layers, all_rows = _NONE, _NONE
            for part in range(first[i], first[i + 1]):
                all_layers, all_rows = all_layers | layers[part], all_rows | rows[part]
            if all_layers & borders[0, number] == _NONE or all_rows & borders[1, number] == _NONE:
                continue
            other = find_row(slot_keys, slot_rows, block_keys[i] + key_steps[number])
            if other < 0:
                continue
            for part in range(first[i], first[i + 1]):
                if layers[part] & borders[0, number] == _NONE or rows[part] & borders[1, number] == _NONE:
                    continue
                is_grown = False
                for near in range(first[other], first[other + 1]):
                    if layers[near] & borders[2, number] == _NONE or rows[near] & borders[3, number] == _NONE:
                        continue
                    a, b = root_of(parent, part), root_of(parent, near)
                    if a == b:
                        continue
                    if not is_grown:
                        grow(parts[part], radius, steps[number], grown)
                        is_grown = True
                    if _any_common(grown, parts[near]):
                        parent[max(a, b)] = min(a, b)


def connected(
    block_keys: NDArray[np.int64], masks: NDArray[np.uint64], radius: int
) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32]]:
    """Of the masks (n, 8) of the blocks ``block_keys`` (n,): parts (p, 8), where those of each block begin
    (n + 1,), and the part (p,) that stands for all that each is connected with: the first of them."""
    first = np.empty(block_keys.size + 1, np.int32)
    parts = find_parts(masks, radius, first)
    parent = np.arange(parts.shape[0], dtype=np.int32)
    join_parts(block_keys, parts, first, radius, STEPS, _KEY_STEPS, parent)
    _flatten(parent)
    return parts, first, parent


@kernel
def _flatten(parent: NDArray[np.int32]) -> None:
    for part in range(parent.size):
        parent[part] = root_of(parent, part)
