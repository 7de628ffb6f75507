"""Groups of voxels that nothing but place separates: union-find over whole parts of bricks.

The voxels of a brick that are connected within it are one part, mostly all of them: a surface of a thousand
voxels is a few dozen parts. Where labels or embeddings separate neighbours, ``components`` is to be used.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import lowest_bit
from rgbd_perception.mapping.bricks import BRICK_STEP, Bricks, brick_and_cell
from rgbd_perception.mapping.hash_index import find_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import pack

HALF = tuple(step for step in product((-1, 0, 1), repeat=3) if step >= (0, 0, 0))
"""A brick itself, then the half of the bricks around it that does not see it as theirs."""
BRICK_STEPS = np.array(HALF, np.int64) @ BRICK_STEP
"""Differences of their keys."""
MOST_RADIUS = 4
"""Voxels of two bricks that do not touch are farther apart."""


def clusters(bricks: Bricks, gap: int) -> NDArray[np.int32]:
    """Number the groups of connected voxels: (n,) group ids 0, 1, ... by first voxel.

    Two voxels are connected when they differ by at most ``gap`` + 1 <= 4 along every axis.
    """
    within, across = near_cells(gap + 1)
    parts = np.empty(bricks.members.size, np.uint64)
    first = np.empty(bricks.brick_keys.size + 1, np.int32)
    parts = parts[: _find_parts(bricks.occupied, within, parts, first)]
    parent = np.arange(parts.size, dtype=np.int32)
    reaching = np.bitwise_or.reduce(np.where(across != 0, _CELLS[None], np.uint64(0)), axis=1)
    _join_parts(
        bricks.brick_keys,
        parts,
        first,
        bricks.slot_keys,
        bricks.slot_rows,
        BRICK_STEPS,
        across,
        reaching,
        parent,
    )
    groups = np.empty(bricks.members.size, np.int32)
    _number(bricks.occupied, bricks.starts, bricks.members, parts, first, parent, groups)
    return groups


_CELLS = np.uint64(1) << np.arange(64, dtype=np.uint64)


@cache
def near_cells(radius: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The cells within ``radius`` of each of the 64 cells of a brick: those of the brick itself (64,), and
    those of each brick of HALF (14, 64), where of the brick itself only later cells count."""
    cells = np.array(list(product(range(4), repeat=3)))
    numbers = [brick_and_cell(int(key))[1] for key in pack(cells)]
    assert numbers == list(range(64))
    apart = np.abs(cells[None, None] + 4 * np.array(HALF)[:, None, None] - cells[None, :, None]).max(axis=-1)
    near = apart <= radius
    within = np.where(near[0], _CELLS, np.uint64(0)).sum(axis=-1, dtype=np.uint64)
    near[0] &= np.triu(np.ones((64, 64), bool), 1)
    return within, np.where(near, _CELLS, np.uint64(0)).sum(axis=-1, dtype=np.uint64)


@kernel
def root_of(parent: NDArray[np.int32], node: int) -> int:
    """The node that stands for the group of ``node``; shortens the way to it."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def _find_parts(
    occupied: NDArray[np.uint64],
    within: NDArray[np.uint64],
    parts: NDArray[np.uint64],
    first: NDArray[np.int32],
) -> int:
    """Write the connected parts of every brick, those of brick i from ``first[i]`` on; return how many."""
    none, count = np.uint64(0), 0
    for brick in range(occupied.size):
        first[brick] = count
        left = occupied[brick]
        while left != none:
            part, edge = none, left & (~left + np.uint64(1))
            while edge != none:
                cell = lowest_bit(edge)
                part |= np.uint64(1) << np.uint64(cell)
                edge = (edge | (within[cell] & left)) & ~part
            parts[count] = part
            count += 1
            left &= ~part
    first[occupied.size] = count
    return count


@kernel
def _touch(part: np.uint64, other: np.uint64, near: NDArray[np.uint64]) -> bool:
    while part != np.uint64(0):
        if near[lowest_bit(part)] & other:
            return True
        part &= part - np.uint64(1)
    return False


@kernel
def _join_parts(
    brick_keys: NDArray[np.int64],
    parts: NDArray[np.uint64],
    first: NDArray[np.int32],
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    steps: NDArray[np.int64],
    across: NDArray[np.uint64],
    reaching: NDArray[np.uint64],
    parent: NDArray[np.int32],
) -> None:
    for brick in range(brick_keys.size):
        for step in range(1, steps.size):
            near_side = np.uint64(0)
            for part in range(first[brick], first[brick + 1]):
                near_side |= parts[part] & reaching[step]
            if near_side == np.uint64(0):
                continue
            other = find_row(slot_keys, slot_rows, brick_keys[brick] + steps[step])
            if other < 0:
                continue
            for part in range(first[brick], first[brick + 1]):
                here = parts[part] & reaching[step]
                for neighbour in range(first[other], first[other + 1]):
                    a, b = root_of(parent, part), root_of(parent, neighbour)
                    if a != b and _touch(here, parts[neighbour], across[step]):
                        parent[max(a, b)] = min(a, b)


@kernel
def _number(
    occupied: NDArray[np.uint64],
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    parts: NDArray[np.uint64],
    first: NDArray[np.int32],
    parent: NDArray[np.int32],
    groups: NDArray[np.int32],
) -> None:
    """Groups of the voxels, numbered in the order of their first voxels."""
    one = np.uint64(1)
    for brick in range(occupied.size):
        left, place = occupied[brick], starts[brick]
        while left != np.uint64(0):
            part = first[brick]
            while parts[part] & left & (~left + one) == np.uint64(0):
                part += 1
            groups[members[place]] = root_of(parent, part)
            left &= left - one
            place += 1
    number_by_first(groups, parent.size)


@kernel
def number_by_first(groups: NDArray[np.int32], nodes: int) -> None:
    """Turn the nodes that stand for groups into the numbers 0, 1, ... in the order of first voxels."""
    numbers = np.full(nodes, -1, np.int32)
    found = 0
    for voxel in range(groups.size):
        if numbers[groups[voxel]] < 0:
            numbers[groups[voxel]] = found
            found += 1
        groups[voxel] = numbers[groups[voxel]]
