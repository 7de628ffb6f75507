"""Embeddings of the cells of a frame, summed up by voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import half_to_float, kernel
from rgbd_perception.mapping.threads import Runner

_VOXELS_FOR_TWO = 1024
"""Fewer voxels of a frame are pooled by one thread."""


def pool(
    groups: VoxelGroups, embedding: NDArray[np.uint16], run: Runner
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weighted sums (u, D) of the half ``embedding`` (h * w, D) over the cells of each voxel; weights (u,).

    Summed in float32. No voxel is in two of the runner's ranges: the result does not depend on the threads.
    """
    count = groups.keys.size
    sums = np.empty((count, embedding.shape[1]), np.float32)
    totals = np.empty(count, np.float32)
    run(
        lambda first, last: _pool(
            groups.starts, groups.members, groups.weights, embedding, first, last, sums, totals
        ),
        count,
        _VOXELS_FOR_TWO,
    )
    return sums, totals


@kernel
def _pool(
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    weights: NDArray[np.float32],
    embedding: NDArray[np.uint16],
    first: int,
    last: int,
    sums: NDArray[np.float32],
    totals: NDArray[np.float32],
) -> None:
    dim = embedding.shape[1]
    for group in range(first, last):
        total = np.float32(0)
        for member in range(starts[group], starts[group + 1]):
            cell = members[member]
            weight = weights[cell]
            if member == starts[group]:
                for j in range(dim):
                    sums[group, j] = weight * half_to_float(embedding[cell, j])
            else:
                for j in range(dim):
                    sums[group, j] += weight * half_to_float(embedding[cell, j])
            total += weight
        totals[group] = total
