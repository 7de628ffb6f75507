"""Connected parts of blocks of 8 x 8 x 8 voxels, a word of 64 bits for every layer of 8 x 8.

A mask is (8,) uint64 as in ``BlockIndex.bits``: word x, bit 8 y + z. Voxels are connected when they differ by
at most ``radius`` along every axis, so growing a mask by that much is three passes of shifts, one an axis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import lowest_bit
from rgbd_perception.mapping.block_neighbours import FACES, STEPS, neighbours_of
from rgbd_perception.mapping.blocks import SIDE
from rgbd_perception.mapping.clusters import root_of
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.layer_flood import take_connected

_NONE, _ONE = np.uint64(0), np.uint64(1)
_EVERY_ROW = np.uint64(0x0101010101010101)
_LAST_Z, _LAST_ROW = np.uint64(SIDE - 1), np.uint64(SIDE * (SIDE - 1))


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
def _any_common(mask: NDArray[np.uint64], other: NDArray[np.uint64]) -> bool:
    common = _NONE
    for x in range(SIDE):
        common |= mask[x] & other[x]
    return common != _NONE


class Parts(NamedTuple):
    """Connected parts of the masks of n blocks, none empty.

    ``masks`` (p, 8); those of block i from ``first[i]`` on (n + 1,); ``group`` (p,) the part that stands for
    all that each is connected with, the first of them.
    """

    masks: NDArray[np.uint64]
    first: NDArray[np.int32]
    group: NDArray[np.int32]


@kernel
def connected(block_keys: NDArray[np.int64], masks: NDArray[np.uint64], radius: int) -> Parts:
    """Of the masks (n, 8) of n > 0 distinct blocks with the keys ``block_keys`` (n,)."""
    first = np.empty(block_keys.size + 1, np.int32)
    parts = _find_parts(masks, radius, first)
    group = np.arange(parts.shape[0]).astype(np.int32)
    _join_parts(neighbours_of(block_keys), parts, first, radius, group)
    for part in range(group.size):
        group[part] = root_of(group, part)
    return Parts(parts, first, group)


@kernel
def _find_parts(masks: NDArray[np.uint64], radius: int, first: NDArray[np.int32]) -> NDArray[np.uint64]:
    parts = np.empty((2 * masks.shape[0] + SIDE, SIDE), np.uint64)
    left, count = np.empty(SIDE, np.uint64), 0
    for i in range(masks.shape[0]):
        first[i] = count
        any_left = False
        for x in range(SIDE):
            left[x] = masks[i, x]
            any_left |= left[x] != _NONE
        while any_left:
            if count == parts.shape[0]:
                parts = _with_room(parts)
            part, x = parts[count], 0
            part[:] = _NONE
            while left[x] == _NONE:
                x += 1
            part[x] = left[x] & (~left[x] + _ONE)
            any_left = take_connected(left, part, radius)
            count += 1
    first[masks.shape[0]] = count
    return parts[:count]


@kernel
def _with_room(parts: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """For twice as many. One by one: to assign an array to a slice, numba compiles for six seconds the
    message about arrays that do not fit, and all about strings that this takes."""
    more = np.empty((2 * parts.shape[0], SIDE), np.uint64)
    for part in range(parts.shape[0]):
        for x in range(SIDE):
            more[part, x] = parts[part, x]
    return more


@kernel
def _reach(
    parts: NDArray[np.uint64], radius: int, leaving: NDArray[np.uint64], entering: NDArray[np.uint64]
) -> None:
    """Bit s: whether a part (p, 8) has voxels near enough to the block that is STEPS[s] away (``leaving``),
    and to the one from which this step leads to its own (``entering``)."""
    borders = np.empty((4, STEPS.shape[0]), np.uint64)
    _borders(radius, STEPS, borders[0], borders[1])
    _borders(radius, -STEPS, borders[2], borders[3])
    for part in range(parts.shape[0]):
        layers, rows = _NONE, _NONE
        for x in range(SIDE):
            rows |= parts[part, x]
            layers |= np.uint64(parts[part, x] != _NONE) << np.uint64(x)
        leaves, enters = _NONE, _NONE
        for step in range(STEPS.shape[0]):
            leaves |= np.uint64(
                ((layers & borders[0, step]) != _NONE) & ((rows & borders[1, step]) != _NONE)
            ) << np.uint64(step)
            enters |= np.uint64(
                ((layers & borders[2, step]) != _NONE) & ((rows & borders[3, step]) != _NONE)
            ) << np.uint64(step)
        leaving[part], entering[part] = leaves, enters


@kernel
def _touch(parts: NDArray[np.uint64], part: int, near: int, step: int) -> bool:
    """Whether voxels of the two lie face to face; ``step`` < FACES leads from the one to the other."""
    if STEPS[step, 0]:
        return parts[part, SIDE - 1] & parts[near, 0] != _NONE
    common = _NONE
    for x in range(SIDE):
        if STEPS[step, 1]:
            common |= (parts[part, x] >> _LAST_ROW) & parts[near, x]
        else:
            common |= (parts[part, x] >> _LAST_Z) & parts[near, x] & _EVERY_ROW
    return common != _NONE


@kernel
def _join_parts(
    neighbours: NDArray[np.int32],
    parts: NDArray[np.uint64],
    first: NDArray[np.int32],
    radius: int,
    group: NDArray[np.int32],
) -> None:
    """Connect the parts of neighbouring blocks in ``group`` (p,), where each was its own."""
    leaving, entering = np.empty(parts.shape[0], np.uint64), np.empty(parts.shape[0], np.uint64)
    _reach(parts, radius, leaving, entering)
    grown = np.empty(SIDE, np.uint64)
    # By way of faces first: most of what shares an edge or a corner is connected then.
    for first_step, last_step in ((0, FACES), (FACES, STEPS.shape[0])):
        for i in range(neighbours.shape[0]):
            there = _NONE
            for step in range(first_step, last_step):
                there |= np.uint64(neighbours[i, step] >= 0) << np.uint64(step)
            for part in range(first[i], first[i + 1]):
                left = there & leaving[part]
                while left != _NONE:
                    step, bit = lowest_bit(left), left & (~left + _ONE)
                    left ^= bit
                    other, is_grown = neighbours[i, step], False
                    for near in range(first[other], first[other + 1]):
                        if entering[near] & bit == _NONE:
                            continue
                        a, b = root_of(group, part), root_of(group, near)
                        if a == b:
                            continue
                        if not (step < FACES and _touch(parts, part, near, step)):
                            if not is_grown:
                                grow(parts[part], radius, STEPS[step], grown)
                                is_grown = True
                            if not _any_common(grown, parts[near]):
                                continue
                        group[max(a, b)] = min(a, b)
