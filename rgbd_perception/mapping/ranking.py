"""The voxels that fit a text, as groups with a score each, best first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.clusters import clusters
from rgbd_perception.mapping.jit import kernel

_BEST_SHARE = 0.25
"""The score of a group is the mean over this share of its voxels, the best ones (a handful at least)."""


class Group(NamedTuple):
    """Connected voxels: their common score, and their numbers (m,) among those that were given."""

    score: float
    members: NDArray[np.int64]


def ranked_groups(
    keys: NDArray[np.int64],
    scores: NDArray[np.float32],
    *,
    gap: int,
    least_voxels: int,
    least_score: float,
    most: int,
) -> list[Group]:
    """The best groups of the voxels ``keys`` (n,) with ``scores`` (n,), at most ``most`` of them.

    Groups of fewer than ``least_voxels`` voxels or a score below ``least_score`` are none. ``gap``: empty
    voxels that a group may bridge.
    """
    if keys.size == 0:
        return []
    groups = clusters(Bricks(keys), gap)
    ends = np.cumsum(np.bincount(groups))
    starts = ends - np.diff(ends, prepend=0)
    members = np.empty(keys.size, np.int64)
    best = np.empty(ends.size, np.float64)
    _score_groups(groups, scores, starts, least_voxels, members, best)
    chosen = np.flatnonzero((ends - starts >= least_voxels) & (best >= least_score))
    # Scores that look the same are the same: then the larger group goes first.
    order = np.lexsort(((starts - ends)[chosen], -np.round(best[chosen], 4)))
    return [Group(float(best[group]), members[starts[group] : ends[group]]) for group in chosen[order[:most]]]


@kernel
def robust_best(scores: NDArray[np.float32], least_voxels: int) -> float:
    """Mean of the best quarter of the scores (n,), of at least ``least_voxels`` of them."""
    count = min(scores.size, max(least_voxels, int(np.ceil(_BEST_SHARE * scores.size))))
    best = np.partition(scores, scores.size - count)[scores.size - count :]
    total = 0.0
    for score in best:
        total += score
    return total / count


@kernel
def _score_groups(
    groups: NDArray[np.int32],
    scores: NDArray[np.float32],
    starts: NDArray[np.int64],
    least_voxels: int,
    members: NDArray[np.int64],
    best: NDArray[np.float64],
) -> None:
    """Sort the members by group, and write the score of each group; -1 where it is too small."""
    ordered = np.empty(scores.size, np.float32)
    place = starts.copy()
    for voxel in range(groups.size):
        group = groups[voxel]
        members[place[group]] = voxel
        ordered[place[group]] = scores[voxel]
        place[group] += 1
    for group in range(starts.size):
        best[group] = -1.0
        if place[group] - starts[group] >= least_voxels:
            best[group] = robust_best(ordered[starts[group] : place[group]], least_voxels)
