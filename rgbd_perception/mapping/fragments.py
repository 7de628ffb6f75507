"""Crumbs of another class at the edge of an object, and pieces that noise cut off, become part of it."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import BITS

_LEAST_RATIO = 2.0
"""A host has at least this many times the voxels of its fragment."""
_LEAST_SIMILARITY = 0.8
"""Least cosine between the mean embeddings of both; a smaller one also takes the cups from the tables."""
_LEAST_CONTACT = 0.3
"""Part of the voxels of a fragment that must touch its host."""


def absorb_fragments(
    bricks: Bricks,
    keys: NDArray[np.int64],
    groups: NDArray[np.int32],
    sketches: NDArray[np.int8],
    most_voxels: int,
) -> NDArray[np.int32]:
    """(n,) groups of the voxels with ``keys``; in the result fragments have the number of their host.

    A group of at most ``most_voxels`` goes to the larger neighbour that most of its voxels touch, if their
    mean ``sketches`` (n, 64) are alike.
    """
    sizes = np.bincount(groups)
    voxels = np.flatnonzero(sizes[groups] <= most_voxels)
    if voxels.size == 0:
        return groups
    pairs, touching = _contacts(bricks, keys, groups, voxels)
    fragment, host = pairs // sizes.size, pairs % sizes.size
    fits = (touching >= _LEAST_CONTACT * sizes[fragment]) & (sizes[host] >= _LEAST_RATIO * sizes[fragment])
    fragment, host, touching = fragment[fits], host[fits], touching[fits]
    means = np.zeros((sizes.size, sketches.shape[1]), np.float32)
    _add_up(groups, sketches, means)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    alike = np.einsum("nd,nd->n", means[fragment], means[host]) >= _LEAST_SIMILARITY
    order = np.lexsort((-host, touching))  # the best host of a fragment is assigned last and stays
    order = order[alike[order]]
    goes_to = np.arange(sizes.size, dtype=np.int32)
    goes_to[fragment[order]] = host[order]
    while np.any(goes_to[goes_to] != goes_to):  # hosts are larger than fragments, so this ends
        goes_to = goes_to[goes_to]
    return goes_to[groups]


def _contacts(
    bricks: Bricks, keys: NDArray[np.int64], groups: NDArray[np.int32], voxels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(pairs, touching): a pair is group * number of groups + other group, ``touching`` counts those of
    ``voxels`` of the group that have one of the other group among their 26 neighbours."""
    count = int(groups.max()) + 1
    around = [x << (2 * BITS) | y << BITS | z for x, y, z in product((0, 1, 2), repeat=3)]
    steps = np.array(around, np.int64) - ((1 << (2 * BITS)) | (1 << BITS) | 1)
    found = bricks.find((keys[voxels][:, None] + steps).ravel()).reshape(-1, steps.size)
    other = np.where(found >= 0, groups[found], groups[voxels][:, None])
    touch = np.sort(other, axis=1)
    new = (touch != groups[voxels][:, None]) & (np.diff(touch, axis=1, prepend=-1) != 0)
    row, column = np.nonzero(new)
    return np.unique(groups[voxels[row]].astype(np.int64) * count + touch[row, column], return_counts=True)


@kernel
def _add_up(groups: NDArray[np.int32], sketches: NDArray[np.int8], sums: NDArray[np.float32]) -> None:
    for voxel in range(groups.size):
        total = sums[groups[voxel]]
        for d in range(sketches.shape[1]):
            total[d] += np.float32(sketches[voxel, d])
