"""Embeddings of the cells of a frame, summed up by voxel: as they are, or as coordinates on a basis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import half_to_float, kernel
from rgbd_perception.mapping.threads import Runner

_VOXELS_FOR_TWO = 1024
"""Fewer voxels of a frame are pooled by one thread."""


def pool(
    groups: VoxelGroups, embedding: NDArray[np.uint16], chosen: NDArray[np.int32], run: Runner
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weighted sums (n, D) of the half ``embedding`` (h * w, D) over the cells of ``chosen`` voxels, and the
    sums of the weights (n,).

    Summed in float32. No voxel is in two of the runner's ranges: the result does not depend on the threads.
    """
    count = chosen.size
    sums = np.empty((count, embedding.shape[1]), np.float32)
    totals = np.empty(count, np.float32)
    run(
        lambda first, last: _pool(
            groups.starts, groups.members, groups.weights, chosen, embedding, first, last, sums, totals
        ),
        count,
        _VOXELS_FOR_TWO,
    )
    return sums, totals


def pool_coordinates(
    groups: VoxelGroups,
    embedding: NDArray[np.uint16],
    chosen: NDArray[np.int32],
    basis: NDArray[np.float32],
    run: Runner,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Like ``pool``, but the sums as coordinates (n, d) on the orthonormal ``basis`` (d, D).

    One kernel, so that the sums never leave the cache; no BLAS, whose threads would wait for each other on a
    machine that also runs a network.
    """
    coordinates = np.empty((chosen.size, basis.shape[0]), np.float32)
    totals = np.empty(chosen.size, np.float32)
    run(
        lambda first, last: _pool_coordinates(
            groups.starts, groups.members, groups.weights, chosen, embedding, basis, first, last, coordinates,
            totals,
        ),
        chosen.size,
        _VOXELS_FOR_TWO // 4,
    )  # fmt: skip
    return coordinates, totals


@kernel
def _sum_cells(
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    weights: NDArray[np.float32],
    embedding: NDArray[np.uint16],
    group: int,
    sums: NDArray[np.float32],
) -> float:
    """Write the weighted sum over the cells of a voxel; return their weight."""
    total = np.float32(0)
    for member in range(starts[group], starts[group + 1]):
        cell = members[member]
        weight = weights[cell]
        if member == starts[group]:
            for j in range(sums.size):
                sums[j] = weight * half_to_float(embedding[cell, j])
        else:
            for j in range(sums.size):
                sums[j] += weight * half_to_float(embedding[cell, j])
        total += weight
    return total


@kernel
def _pool(
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    weights: NDArray[np.float32],
    chosen: NDArray[np.int32],
    embedding: NDArray[np.uint16],
    first: int,
    last: int,
    sums: NDArray[np.float32],
    totals: NDArray[np.float32],
) -> None:
    for place in range(first, last):
        totals[place] = _sum_cells(starts, members, weights, embedding, chosen[place], sums[place])


@kernel(fastmath=True)
def _pool_coordinates(
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    weights: NDArray[np.float32],
    chosen: NDArray[np.int32],
    embedding: NDArray[np.uint16],
    basis: NDArray[np.float32],
    first: int,
    last: int,
    coordinates: NDArray[np.float32],
    totals: NDArray[np.float32],
) -> None:
    """Four voxels at a time, so that every number of the basis is loaded once for all of them."""
    dim = basis.shape[1]
    sums = np.zeros((4, dim), np.float32)
    for start in range(first, last, 4):
        filled = min(4, last - start)
        for lane in range(filled):
            totals[start + lane] = _sum_cells(
                starts, members, weights, embedding, chosen[start + lane], sums[lane]
            )
        for axis in range(basis.shape[0]):
            a, b, c, d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for j in range(dim):
                value = basis[axis, j]
                a += sums[0, j] * value
                b += sums[1, j] * value
                c += sums[2, j] * value
                d += sums[3, j] * value
            for lane, dot in enumerate((a, b, c, d)):
                if lane < filled:
                    coordinates[start + lane, axis] = dot
