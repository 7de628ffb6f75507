"""Embeddings of the cells of a frame, summed up by voxel: as they are, or as coordinates on a basis.

Here a NaN is found: it is in the sum of its voxel. Looking for it beforehand would mean reading the largest
input of a map twice. One in a cell that no voxel takes does no harm and is not looked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.mapping import projection, whole_projection
from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import half_to_float, kernel
from rgbd_perception.mapping.pair_products import IS_ONE_INSTRUCTION
from rgbd_perception.mapping.projection import VECTORS
from rgbd_perception.mapping.threads import Runner

_projection = whole_projection if IS_ONE_INSTRUCTION else projection

_ANY_ORDER = {"reassoc", "nsz", "contract"}
"""What the compiler may do to sums; a NaN stays one."""
NOT_FINITE = "the embeddings have NaN or inf in them"
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
    Raises FrameDropped (prediction_not_finite) for NaN and inf.
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
    return _checked(Pooled(chosen, sums, totals))


def pool_coordinates(
    groups: VoxelGroups,
    embedding: NDArray[np.uint16],
    chosen: NDArray[np.int32],
    basis: NDArray[np.float32],
    run: Runner,
) -> Pooled:
    """Like ``pool``, but the sums as coordinates (n, d) on the orthonormal ``basis`` (d, D).

    One kernel, so that the sums never leave the cache; no BLAS, whose threads would wait for each other on a
    machine that also runs a network. Raises FrameDropped (prediction_not_finite) for NaN and inf.
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
    return _checked(Pooled(chosen, coordinates, totals))


def _checked(pooled: Pooled) -> Pooled:
    """Raises FrameDropped where the kernels have marked the total of a voxel."""
    if np.isnan(pooled.totals).any():
        raise FrameDropped("prediction_not_finite", NOT_FINITE)
    return pooled


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


@kernel(fastmath=_ANY_ORDER)
def _squared_length(vector: NDArray[np.float32]) -> float:
    square = np.float32(0)
    for j in range(vector.size):
        square += vector[j] * vector[j]
    return square


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
    """The total of a voxel with a number that is not finite is NaN."""
    for place in range(first, last):
        total = _sum_cells(starts, members, weights, embedding, chosen[place], sums[place])
        totals[place] = total if _squared_length(sums[place]) < np.inf else np.nan


@kernel
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
    """A tile of voxels at a time; ``axes`` are the basis as the projection takes it.

    The total of a voxel with a number that is not finite is NaN, and its coordinates are any.
    """
    sums = np.empty(embedding.shape[1], np.float32)
    tile = _projection.tile_for(axes)
    for start in range(first, last, VECTORS):
        filled = min(VECTORS, last - start)
        for k in range(filled):
            total = _sum_cells(starts, members, weights, embedding, chosen[start + k], sums)
            square = _squared_length(sums)
            if square < np.inf:
                totals[start + k] = total
                _projection.put(sums, square, tile, k)
            else:
                totals[start + k] = np.nan
        _projection.project(tile, axes, coordinates[start : start + filled])
