"""The voxels that fit a text, as groups with a score each, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.boxes import BoxArrays
from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.clusters import clusters
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.selection import ranked_values, value_of_rank

_BEST_SHARE = 0.25
"""The score of a group is the mean over this share of its voxels, the best ones (a handful at least)."""
_LOOKS_SAME = 1e4
"""Scores are shown with so many steps from 0 to 1."""


class Group(NamedTuple):
    """Connected voxels: their common score, and their numbers (m,) among those that were given."""

    score: float
    members: NDArray[np.int64]


class RankedGroups(NamedTuple):
    """The best groups of connected voxels that fit a text, best first: their common ``scores`` (m,), how many
    ``voxels`` (m,), the usual class ``slots`` (m,) of these (0: none is known), when they were ``last_seen``
    (m,), and their ``boxes``."""

    scores: NDArray[np.float64]
    voxels: NDArray[np.int64]
    slots: NDArray[np.int64]
    last_seen: NDArray[np.uint32]
    boxes: BoxArrays


NO_GROUPS = RankedGroups(
    np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint32),
    BoxArrays(np.empty((0, 3)), np.empty((0, 3)), np.empty(0)),
)  # fmt: skip


@dataclass(frozen=True)
class Passing:
    """Voxels that fit some text, those of text i from ``starts[i]`` on: ``numbers``, ``keys``, ``scores``."""

    starts: NDArray[np.int64]
    numbers: NDArray[np.int32]
    keys: NDArray[np.int64]
    scores: NDArray[np.float32]

    def of(self, text: int) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
        """Numbers, keys and scores (m,) of the voxels that fit one text."""
        part = slice(self.starts[text], self.starts[text + 1])
        return self.numbers[part], self.keys[part], self.scores[part]


def split_by_text(keys: NDArray[np.int64], scores: NDArray[np.float32], least: float) -> Passing:
    """Of the voxels ``keys`` (n,) with ``scores`` (n, T) those that score at least ``least``, by text."""
    starts = np.zeros(scores.shape[1] + 1, np.int64)
    _count_passing(scores, np.float32(least), starts)
    total = int(starts[-1])
    passing = Passing(
        starts, np.empty(total, np.int32), np.empty(total, np.int64), np.empty(total, np.float32)
    )
    _split(keys, scores, np.float32(least), starts[:-1].copy(), passing.numbers, passing.keys, passing.scores)
    return passing


@kernel
def _count_passing(scores: NDArray[np.float32], least: float, starts: NDArray[np.int64]) -> None:
    """Write where the voxels of each text start, and their number in all."""
    for i in range(scores.shape[0]):
        for text in range(scores.shape[1]):
            starts[text + 1] += scores[i, text] >= least
    for text in range(scores.shape[1]):
        starts[text + 1] += starts[text]


@kernel
def _split(
    keys: NDArray[np.int64],
    scores: NDArray[np.float32],
    least: float,
    place: NDArray[np.int64],
    numbers: NDArray[np.int32],
    split_keys: NDArray[np.int64],
    split_scores: NDArray[np.float32],
) -> None:
    for i in range(scores.shape[0]):
        for text in range(scores.shape[1]):
            if scores[i, text] >= least:
                numbers[place[text]], split_keys[place[text]] = i, keys[i]
                split_scores[place[text]] = scores[i, text]
                place[text] += 1


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
    chosen = best_groups(best, ends - starts, least_voxels, least_score, most)
    return [Group(float(best[group]), members[starts[group] : ends[group]]) for group in chosen]


@kernel
def best_groups(
    scores: NDArray[np.float64], sizes: NDArray[np.int64], least_voxels: int, least_score: float, most: int
) -> NDArray[np.int64]:
    """Numbers of the groups with ``scores`` (g,) and ``sizes`` (g,) in voxels that are large and good enough,
    at most ``most`` of them, best first."""
    chosen = np.empty(min(most, scores.size), np.int64)
    count = 0
    for group in range(scores.size):
        if sizes[group] < least_voxels or scores[group] < least_score:
            continue
        place = count
        while place > 0 and _goes_before(scores, sizes, group, chosen[place - 1]):
            if place < chosen.size:
                chosen[place] = chosen[place - 1]
            place -= 1
        if place < chosen.size:
            chosen[place] = group
            count = min(count + 1, chosen.size)
    return chosen[:count]


@kernel
def _goes_before(scores: NDArray[np.float64], sizes: NDArray[np.int64], group: int, other: int) -> bool:
    # Scores that look the same are the same: then the larger group goes first.
    score, other_score = np.rint(scores[group] * _LOOKS_SAME), np.rint(scores[other] * _LOOKS_SAME)
    return score > other_score or (score == other_score and sizes[group] > sizes[other])


@kernel
def robust_best(scores: NDArray[np.float32], least_voxels: int) -> float:
    """Mean of the best quarter of the scores (n,), of at least ``least_voxels`` of them."""
    count = min(scores.size, max(least_voxels, int(np.ceil(_BEST_SHARE * scores.size))))
    least, _ = ranked_values(scores, scores.size - count, scores.size - 1)
    total, above = 0.0, 0
    for score in scores:
        if score > least:
            total += score
            above += 1
    return (total + (count - above) * least) / count


@kernel
def robust_best_of(scores: NDArray[np.float32], counts: NDArray[np.int32], least_voxels: int) -> float:
    """``robust_best`` of scores (n,) that so many voxels (n,) have each."""
    size = counts.sum()
    count = min(size, max(least_voxels, int(np.ceil(_BEST_SHARE * size))))
    least = value_of_rank(scores, counts, size - count)
    total, above = 0.0, 0
    for i in range(scores.size):
        if scores[i] > least:
            total += scores[i] * np.float64(counts[i])
            above += counts[i]
    return (total + (count - above) * np.float64(least)) / count


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
