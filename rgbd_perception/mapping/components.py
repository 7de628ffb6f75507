"""Groups of neighbouring voxels: union-find over a hash of their keys, linear in their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.hash_index import find_row, put_row
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import BITS, NO_KEY


def connected_components(
    keys: NDArray[np.int64],
    gap: int = 0,
    vectors: NDArray[np.float32] | None = None,
    least_similarity: float = -2.0,
) -> NDArray[np.int32]:
    """Number the groups of connected voxels: (n,) distinct keys -> (n,) group ids 0, 1, ... by first voxel.

    Two voxels are connected when they differ by at most ``gap`` + 1 along every axis (gap 0: the 26
    neighbours) and, with ``vectors`` (n, d) given, when the dot product of their vectors is at least
    ``least_similarity``.
    """
    slots = 1 << max(4, int(2 * keys.size + 1).bit_length())
    if vectors is None:
        vectors = np.zeros((keys.size, 0), np.float32)
        least_similarity = -2.0
    return _components(
        np.ascontiguousarray(keys), np.full(slots, NO_KEY, np.int64), np.empty(slots, np.int32),
        _half_neighbourhood(gap + 1), np.ascontiguousarray(vectors, np.float32), least_similarity,
    )  # fmt: skip


def _half_neighbourhood(radius: int) -> NDArray[np.int64]:
    """Differences between packed keys to half of the neighbours (the other half sees us as neighbour)."""
    steps = range(-radius, radius + 1)
    packed = ((x << (2 * BITS)) + (y << BITS) + z for x in steps for y in steps for z in steps)
    return np.array([difference for difference in packed if difference > 0], np.int64)


@kernel
def _root(parent: NDArray[np.int32], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def _components(
    keys: NDArray[np.int64],
    slot_keys: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    differences: NDArray[np.int64],
    vectors: NDArray[np.float32],
    least_similarity: float,
) -> NDArray[np.int32]:
    count = keys.size
    parent = np.empty(count, np.int32)
    for i in range(count):
        put_row(slot_keys, slot_rows, keys[i], i)
        parent[i] = i
    for i in range(count):
        for difference in differences:
            j = find_row(slot_keys, slot_rows, keys[i] + difference)
            if j < 0:
                continue
            a, b = _root(parent, i), _root(parent, j)
            if a == b:
                continue
            similarity = 0.0
            for d in range(vectors.shape[1]):
                similarity += vectors[i, d] * vectors[j, d]
            if similarity >= least_similarity:
                parent[max(a, b)] = min(a, b)
    groups = np.empty(count, np.int32)
    found = 0
    for i in range(count):
        root = _root(parent, i)  # never larger than i, so it has its number already
        if root == i:
            groups[i] = found
            found += 1
        else:
            groups[i] = groups[root]
    return groups
