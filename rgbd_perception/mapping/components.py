"""Groups of neighbouring voxels: union-find over bricks of voxels, linear in their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import lowest_bit
from rgbd_perception.mapping.bricks import Bricks, place_in_brick
from rgbd_perception.mapping.clusters import BRICK_STEPS, clusters, near_cells, number_by_first, root_of
from rgbd_perception.mapping.hash_index import find_row
from rgbd_perception.mapping.jit import kernel


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
    if sketches is None and labels is None:
        return clusters(bricks, gap)
    count = bricks.members.size
    if sketches is None:
        sketches, least_similarity = np.zeros((count, 0), np.int8), -2.0
    if labels is None:
        labels = np.zeros(count, np.uint16)
    return _components(
        bricks.brick_keys, bricks.occupied, bricks.starts, bricks.members, bricks.slot_keys, bricks.slot_rows,
        BRICK_STEPS, near_cells(gap + 1)[1], labels, np.ascontiguousarray(sketches),
        least_similarity * 127 * 127,
    )  # fmt: skip


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
                a = root_of(parent, place)
                while near != none:
                    neighbour = starts[other] + place_in_brick(there, lowest_bit(near))
                    near &= near - one
                    if label[place] != label[neighbour] or parent[neighbour] == a:
                        continue
                    b = root_of(parent, neighbour)
                    if a != b and _alike(sketches, members[place], members[neighbour], least):
                        parent[max(a, b)] = min(a, b)
                        a = min(a, b)
    groups = np.empty(parent.size, np.int32)
    for place in range(parent.size):
        groups[members[place]] = root_of(parent, place)
    number_by_first(groups, parent.size)
    return groups
