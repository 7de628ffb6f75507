"""The scoring rule on the vectors that are near some text: both tests, negatives and all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.nearest_classes import packed_pair
from rgbd_perception.mapping.products import DEPTH, LANES, ROWS, multiply, put, side_by_side
from rgbd_perception.mapping.score_rule import NEVER, NO_COSINE, ScoreRule

_NOT_KEPT = np.empty(0, np.uint32)
_FAR = np.float32(8)
"""More than any difference between cosines."""


class Rivals(NamedTuple):
    """``across`` (D', m' + C'): texts and negatives, filled up to whole tiles, then the classes; ``generic``
    (T + N,); ``apart`` (T, 2, C'): what puts classes out of the running, as own and as other; ``classes``:
    how many of the C' are some."""

    across: NDArray[np.float32]
    generic: NDArray[np.float32]
    apart: NDArray[np.float32]
    classes: int


def rivals_of(
    positive_and_negative: NDArray[np.float32],
    generic: NDArray[np.float32],
    classes: NDArray[np.float32],
    related: NDArray[np.bool_],
) -> Rivals:
    """From (T + N, D) texts and negatives, (C, D) classes and the ``related`` (T, C)."""
    columns = side_by_side(classes)
    apart = np.full((related.shape[0], 2, columns.shape[1]), _FAR, np.float32)
    apart[:, :, : classes.shape[0]] *= np.stack([~related, related], axis=1)
    across = np.concatenate([side_by_side(positive_and_negative), columns], axis=1)
    return Rivals(np.ascontiguousarray(across), generic, apart, classes.shape[0])


def exact_logits(
    vectors: NDArray[np.number],
    near: NDArray[np.int32],
    rivals: Rivals,
    rule: ScoreRule,
    pairs: NDArray[np.uint32] = _NOT_KEPT,
) -> NDArray[np.float32]:
    """(k, T) logits of the ``near`` (k,) of the (n, D) vectors; their nearest classes are noted in the
    ``pairs`` (n,), where these are kept."""
    logits = np.empty((near.size, rivals.apart.shape[0]), np.float32)
    pieces = np.zeros((rivals.across.shape[0] // DEPTH, ROWS, DEPTH), np.float32)
    cosines = np.empty((ROWS, rivals.across.shape[1]), np.float32)
    _write_logits(vectors, near, rivals, rule, pieces, cosines, logits, pairs)
    return logits


@kernel(fastmath=True, forceinline=True)
def _scale(cosines: NDArray[np.float32], k: int, inverse: float) -> None:
    for lane in range(0, cosines.shape[1], LANES):
        for index in range(LANES):
            cosines[k, np.uint64(lane) + np.uint64(index)] *= inverse


@kernel(fastmath=True, forceinline=True)
def _barrier(cosines: NDArray[np.float32], k: int, generic: NDArray[np.float32], texts: int) -> float:
    """What a centred text must beat: the nearest negative, where there is any."""
    barrier = np.float32(-NO_COSINE)
    for index in range(texts, generic.size):
        barrier = max(barrier, cosines[k, index] - generic[index])
    return barrier


@kernel(fastmath=True, forceinline=True)
def _margin(cosines: NDArray[np.float32], k: int, apart: NDArray[np.float32], text: int) -> float:
    """Cosine of vector ``k`` to the text or a class related to it, less that to the nearest other class."""
    own, other = cosines[k, text], np.float32(-NO_COSINE)
    classes = cosines.shape[1] - apart.shape[2]
    for lane in range(0, apart.shape[2], LANES):
        for index in range(LANES):
            at = np.uint64(lane) + np.uint64(index)
            rival = cosines[k, np.uint64(classes) + at]
            own = max(own, rival - apart[text, 0, at])
            other = max(other, rival - apart[text, 1, at])
    return own - other


@kernel
def _nearest(cosines: NDArray[np.float32], k: int, rivals: Rivals) -> int:
    """The two classes nearest to vector ``k``, packed; the first of equals goes first."""
    first, second = np.float32(-NO_COSINE), np.float32(-NO_COSINE)
    nearest, next_nearest = -1, -1
    start = cosines.shape[1] - rivals.apart.shape[2]
    for index in range(rivals.classes):
        cosine = cosines[k, start + index]
        if cosine > first:
            second, next_nearest = first, nearest
            first, nearest = cosine, index
        elif cosine > second:
            second, next_nearest = cosine, index
    return packed_pair(nearest, next_nearest)


@kernel
def _write_logits(
    vectors: NDArray[np.number],
    near: NDArray[np.int32],
    rivals: Rivals,
    rule: ScoreRule,
    pieces: NDArray[np.float32],
    cosines: NDArray[np.float32],
    logits: NDArray[np.float32],
    pairs: NDArray[np.uint32],
) -> None:
    texts = logits.shape[1]
    inverse = np.empty(ROWS, np.float32)
    for first in range(0, near.size, ROWS):
        last = min(first + ROWS, near.size)
        for place in range(first, last):
            square = put(vectors, near[place], pieces, place - first)
            inverse[place - first] = np.float32(1) / np.sqrt(square)
        multiply(pieces, rivals.across, cosines)
        for place in range(first, last):
            k = place - first
            _scale(cosines, k, inverse[k])
            if pairs.size:
                pairs[near[place]] = _nearest(cosines, k, rivals)
            barrier = _barrier(cosines, k, rivals.generic, texts)
            for text in range(texts):
                cosine = cosines[k, text] - rivals.generic[text]
                value = rule.scale * (cosine - rule.offset)
                if cosine <= barrier:
                    value = np.float32(NEVER)
                elif cosine > rule.undecided:
                    value = min(value, rule.sharpness * _margin(cosines, k, rivals.apart, text))
                logits[place, text] = value


@kernel
def keep_reaching(near: NDArray[np.int32], logits: NDArray[np.float32], least: float) -> int:
    """Move the vectors with some logit (k, T) that is not below ``least`` to the front; return how many."""
    kept = 0
    for place in range(near.size):
        best = np.float32(NEVER)
        for text in range(logits.shape[1]):
            best = max(best, logits[place, text])
        if best >= least and best > NEVER:
            near[kept] = near[place]
            for text in range(logits.shape[1]):
                logits[kept, text] = logits[place, text]
            kept += 1
    return kept
