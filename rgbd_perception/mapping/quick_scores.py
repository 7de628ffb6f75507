"""The scoring rule by the two classes that are nearest to a row, wherever these decide it: nearly always.

The relative test compares the nearest class related to a text with the nearest other one. No class that is
not noted for a row is nearer to it than the second that is. So where not both are found among the noted two,
the difference is known to lie between two bounds, and often all between them gives the same score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import lowest_bit
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.near_vectors import Near
from rgbd_perception.mapping.nearest_classes import NOT_NOTED, unpacked_pair
from rgbd_perception.mapping.products import LANES
from rgbd_perception.mapping.score_rule import NEVER, NO_COSINE, ScoreRule


class Contest(NamedTuple):
    """``sides`` (T + N, d) and ``classes`` (C, d): texts, then negatives, and classes; ``generic`` (T + N,);
    ``related`` (T, C)."""

    sides: NDArray[np.float32]
    classes: NDArray[np.float32]
    generic: NDArray[np.float32]
    related: NDArray[np.bool_]


def quick_logits(
    vectors: NDArray[np.number], near: Near, pairs: NDArray[np.uint32], contest: Contest, rule: ScoreRule
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """(k, T) logits of the ``near`` (k,) of the (n, d) vectors, for which ``pairs`` (n,) are noted, and the
    places (m,) among them that have to be worked out in full; logits below the least may be NEVER."""
    logits = np.full((near.numbers.size, contest.related.shape[0]), NEVER, np.float32)
    undecided = np.empty(near.numbers.size, np.int32)
    count = _write_logits(vectors, near.numbers, near.texts, pairs, contest, rule, logits, undecided)
    return logits, undecided[:count]


class _Rivals(NamedTuple):
    """The two classes nearest to a vector, and its cosines to them; without a second one -1, -NO_COSINE."""

    nearest: int
    next_nearest: int
    cosine: float
    next_cosine: float


@kernel(fastmath=True, forceinline=True)
def _product(vectors: NDArray[np.number], row: int, others: NDArray[np.float32], other: int) -> float:
    total = np.float32(0)
    for j in range(vectors.shape[1]):
        total += np.float32(vectors[row, j]) * others[other, j]
    return total


@kernel(fastmath=True, forceinline=True)
def _first_products(
    vectors: NDArray[np.number],
    row: int,
    classes: NDArray[np.float32],
    nearest: int,
    next_nearest: int,
    sides: NDArray[np.float32],
    text: int,
) -> tuple[float, float, float, float]:
    """Of a vector with itself, two classes and a text: each of its numbers is widened once."""
    square, first, second, third = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for j in range(vectors.shape[1]):
        value = np.float32(vectors[row, j])
        square += value * value
        first += value * classes[nearest, j]
        second += value * classes[next_nearest, j]
        third += value * sides[text, j]
    return square, first, second, third


@kernel(fastmath=True, forceinline=True)
def _barrier(
    vectors: NDArray[np.number],
    row: int,
    inverse: float,
    sides: NDArray[np.float32],
    generic: NDArray[np.float32],
    texts: int,
) -> float:
    """What a centred text must beat: the nearest negative, where there is any."""
    barrier = np.float32(-NO_COSINE)
    for index in range(texts, generic.size):
        barrier = max(barrier, inverse * _product(vectors, row, sides, index) - generic[index])
    return barrier


@kernel(forceinline=True)
def _first_text(near_texts: NDArray[np.uint8], place: int) -> int:
    """The first of the texts that a vector is near to: one at least."""
    group = 0
    while near_texts[place, group] == 0:
        group += 1
    return group * LANES + lowest_bit(near_texts[place, group])


@kernel(fastmath=True, forceinline=True)
def _margins(plain: float, rivals: _Rivals, related: NDArray[np.bool_], text: int) -> tuple[float, float]:
    """The least and the most that the margin of a text with this cosine can be."""
    next_is_related = rivals.next_nearest >= 0 and related[text, rivals.next_nearest]
    if related[text, rivals.nearest]:
        own = max(plain, rivals.cosine)
        no_other = np.float32(-NO_COSINE) if next_is_related else rivals.next_cosine
        return own - rivals.next_cosine, own - no_other
    most = max(plain, rivals.next_cosine)
    return (most if next_is_related else plain) - rivals.cosine, most - rivals.cosine


@kernel(fastmath=True, forceinline=True)
def _decide(
    plain: float,
    centred: float,
    text: int,
    rivals: _Rivals,
    related: NDArray[np.bool_],
    rule: ScoreRule,
) -> tuple[float, bool]:
    """The logit of a text with these cosines, and whether it is sure (or sure to be below the least)."""
    value = rule.scale * (centred - rule.offset)
    if centred <= rule.undecided:
        return value, True
    least, most = _margins(plain, rivals, related, text)
    lowest, highest = min(value, rule.sharpness * least), min(value, rule.sharpness * most)
    return highest, lowest == highest or highest < rule.least


@kernel(fastmath=True)
def _write_logits(
    vectors: NDArray[np.number],
    near: NDArray[np.int32],
    near_texts: NDArray[np.uint8],
    pairs: NDArray[np.uint32],
    contest: Contest,
    rule: ScoreRule,
    logits: NDArray[np.float32],
    undecided: NDArray[np.int32],
) -> int:
    """Return how many are undecided."""
    sides, classes, generic, related = contest  # taken out of the loop: there it would be counted
    count = 0
    for place in range(near.size):
        pair, row = pairs[near[place]], near[place]
        decided = pair != NOT_NOTED
        if decided:
            nearest, next_nearest = unpacked_pair(pair)
            first = _first_text(near_texts, place)
            square, cosine, next_cosine, product = _first_products(
                vectors, row, classes, nearest, max(next_nearest, 0), sides, first
            )
            inverse = np.float32(1) / np.sqrt(square)
            next_cosine = inverse * next_cosine if next_nearest >= 0 else np.float32(-NO_COSINE)
            rivals = _Rivals(nearest, next_nearest, inverse * cosine, next_cosine)
            barrier = _barrier(vectors, row, inverse, sides, generic, logits.shape[1])
            for group in range(near_texts.shape[1]):
                bits = near_texts[place, group]
                while bits:
                    text = group * LANES + lowest_bit(bits)
                    bits = np.uint8(bits & (bits - np.uint8(1)))
                    if text != first:
                        product = _product(vectors, row, sides, text)
                    plain = inverse * product
                    centred = plain - generic[text]
                    if centred > barrier:
                        logits[place, text], sure = _decide(plain, centred, text, rivals, related, rule)
                        decided &= sure
        if not decided:
            undecided[count] = place
            count += 1
    return count
