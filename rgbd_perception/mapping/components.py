"""Groups of neighbouring voxels: union-find over bricks of voxels, linear in their number."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bricks import (
    BRICK_STEP,
    Bricks,
    brick_and_cell,
    lowest_bit,
    place_in_brick,
)
from rgbd_perception.mapping.hash_index import find_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import pack

_HALF = tuple(step for step in product((-1, 0, 1), repeat=3) if step >= (0, 0, 0))
"""A brick itself, then the half of the bricks around it that does not see it as theirs."""


def connected_components(
    keys: NDArray[np.int64] | Bricks,
    gap: int = 0,
    sketches: NDArray[np.int8] | None = None,
    least_similarity: float = -2.0,
    labels: NDArray[np.uint16] | None = None,
) -> NDArray[np.int32]:
    """Number the groups of connected voxels: (n,) distinct keys -> (n,) group ids 0, 1, ... by first voxel.

    Two voxels are connected when they differ by at most ``gap`` + 1 <= 4 along every axis (gap 0: the 26
    neighbours), when their ``labels`` (n,) are the same and when the cosine of their ``sketches`` (n, d; of
    length 127) is at least ``least_similarity``. What is not given does not separate.
    """
    bricks = keys if isinstance(keys, Bricks) else Bricks(keys)
    count = bricks.members.size
    if sketches is None:
        sketches, least_similarity = np.zeros((count, 0), np.int8), -2.0
    if labels is None:
        labels = np.zeros(count, np.uint16)
    return _components(
        bricks.brick_keys, bricks.occupied, bricks.starts, bricks.members, bricks.slot_keys, bricks.slot_rows,
        np.array(_HALF, np.int64) @ BRICK_STEP, _windows(gap + 1), labels,
        np.ascontiguousarray(sketches), least_similarity * 127 * 127,
    )  # fmt: skip


def _windows(radius: int) -> NDArray[np.uint64]:
    """(14, 64): the cells of each brick of _HALF that are within ``radius`` of each cell of the first one.

    Within a brick only later cells count, so that every pair of neighbours comes up once.
    """
    cells = np.array(list(product(range(4), repeat=3)))
    numbers = [brick_and_cell(int(key))[1] for key in pack(cells)]
    assert numbers == list(range(64))
    steps = np.array(_HALF)
    apart = np.abs(cells[None, None] + 4 * steps[:, None, None] - cells[None, :, None]).max(axis=-1)
    near = apart <= radius
    near[0] &= np.triu(np.ones((64, 64), bool), 1)
    bits = np.uint64(1) << np.arange(64, dtype=np.uint64)
    return np.where(near, bits, np.uint64(0)).sum(axis=-1, dtype=np.uint64)


@kernel
def _root(parent: NDArray[np.int32], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def _alike(sketches: NDArray[np.int8], i: int, j: int, least: float) -> bool:
    similarity = np.int32(0)
    for d in range(sketches.shape[1]):
        similarity += np.int32(sketches[i, d]) * np.int32(sketches[j, d])
    return similarity >= least


@kernel
def _components(
    brick_keys: NDArray[np.int64],
    occupied: NDArray[np.uint64],
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    steps: NDArray[np.int64],
    windows: NDArray[np.uint64],
    labels: NDArray[np.uint16],
    sketches: NDArray[np.int8],
    least: float,
) -> NDArray[np.int32]:
    one, none = np.uint64(1), np.uint64(0)
    parent = np.arange(members.size).astype(np.int32)  # by place in the bricks: neighbours lie side by side
    label = labels[members]
    for brick in range(brick_keys.size):
        for step in range(steps.size):
            other = find_row(slot_keys, slot_rows, brick_keys[brick] + steps[step]) if step else brick
            if other < 0:
                continue
            here, there = occupied[brick], occupied[other]
            place = starts[brick] - 1
            while here != none:
                near = there & windows[step, lowest_bit(here)]
                here &= here - one
                place += 1
                a = _root(parent, place)
                while near != none:
                    neighbour = starts[other] + place_in_brick(there, lowest_bit(near))
                    near &= near - one
                    if label[place] != label[neighbour] or parent[neighbour] == a:
                        continue
                    b = _root(parent, neighbour)
                    if a != b and _alike(sketches, members[place], members[neighbour], least):
                        parent[max(a, b)] = min(a, b)
                        a = min(a, b)
    return _numbered(parent, members)


@kernel
def _numbered(parent: NDArray[np.int32], members: NDArray[np.int32]) -> NDArray[np.int32]:
    """Groups of the voxels, numbered in the order of their first voxels."""
    groups = np.empty(parent.size, np.int32)
    for place in range(parent.size):
        groups[members[place]] = _root(parent, place)
    numbers = np.full(parent.size, -1, np.int32)
    found = 0
    for voxel in range(parent.size):
        root = groups[voxel]
        if numbers[root] < 0:
            numbers[root] = found
            found += 1
        groups[voxel] = numbers[root]
    return groups
