"""Embeddings of the cells of a frame, summed up by voxel: as they are, or as coordinates on a basis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping import projection, whole_projection
from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import half_to_float, kernel
from rgbd_perception.mapping.pair_products import IS_ONE_INSTRUCTION
from rgbd_perception.mapping.projection import VECTORS
from rgbd_perception.mapping.threads import Runner

_projection = whole_projection if IS_ONE_INSTRUCTION else projection

_VOXELS_FOR_TWO = 1024
"""Fewer voxels of a frame are pooled by one thread."""


class Pooled(NamedTuple):
    """What a frame adds to the embeddings of the ``chosen`` (k,) of its voxels: weighted ``sums`` (k, d), and
    the sums of the weights, ``totals`` (k,)."""

    chosen: NDArray[np.int32]
    sums: NDArray[np.float32]
    totals: NDArray[np.float32]


def pool(
    groups: VoxelGroups, embedding: NDArray[np.uint16], chosen: NDArray[np.int32], run: Runner
) -> Pooled:
    """The half ``embedding`` (h * w, D) over the cells of ``chosen`` voxels.

    Summed in float32. No voxel is in two of the runner's ranges: the result does not depend on the threads.
    """
    count, chosen = chosen.size, np.ascontiguousarray(chosen)  # the warm-up compiles for nothing else
    sums = np.empty((count, embedding.shape[1]), np.float32)
    totals = np.empty(count, np.float32)
    run(
        lambda first, last: _pool(
            groups.starts, groups.members, groups.weights, chosen, embedding, first, last, sums, totals
        ),
        count,
        _VOXELS_FOR_TWO,
    )
    return Pooled(chosen, sums, totals)


def pool_coordinates(
    groups: VoxelGroups,
    embedding: NDArray[np.uint16],
    chosen: NDArray[np.int32],
    basis: NDArray[np.float32],
    run: Runner,
) -> Pooled:
    """Like ``pool``, but the sums as coordinates (n, d) on the orthonormal ``basis`` (d, D).

    One kernel, so that the sums never leave the cache; no BLAS, whose threads would wait for each other on a
    machine that also runs a network.
    """
    coordinates = np.empty((chosen.size, basis.shape[0]), np.float32)
    totals = np.empty(chosen.size, np.float32)
    axes = _projection.as_axes(basis)
    run(
        lambda first, last: _pool_coordinates(
            groups.starts, groups.members, groups.weights, chosen, embedding, axes, first, last, coordinates,
            totals,
        ),
        chosen.size,
        _VOXELS_FOR_TWO // 4,
    )  # fmt: skip
    return Pooled(chosen, coordinates, totals)


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
    axes: NDArray[np.number],
    first: int,
    last: int,
    coordinates: NDArray[np.float32],
    totals: NDArray[np.float32],
) -> None:
    """A tile of voxels at a time; ``axes`` are the basis as the projection takes it."""
    sums = np.empty((1, embedding.shape[1]), np.float32)
    tile = _projection.tile_for(axes)
    for start in range(first, last, VECTORS):
        filled = min(VECTORS, last - start)
        for k in range(filled):
            totals[start + k] = _sum_cells(starts, members, weights, embedding, chosen[start + k], sums[0])
            _projection.put(sums, 0, tile, k)
        _projection.project(tile, axes, coordinates[start : start + filled])
