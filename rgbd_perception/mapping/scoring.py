"""How well a voxel answers a text: centred cosine, competition with the vocabulary, negatives.

For a voxel v, a text q and the texts t of the class vocabulary (all compared by cosine):

    generic(q)  centring * mean(cos(q, t) over all classes)       how near q is to anything at all
    absolute    scale * (cos(v, q) - generic(q) - offset)         is v about q more than anything is?
    own         max(cos(v, q), cos(v, t) over the classes related to q)
    other       max(cos(v, t) over all other classes)
    relative    sharpness * (own - other)                         or is v rather something else?
    score       sigmoid(min(absolute, relative))                  as good as the weaker of both

Text encoders place short everyday words nearer to everything than long or rare ones, so that a plain cosine
says "a piano" louder than "a pitcher for roses": what a text shares with all classes says nothing about v.
The mean counts as many classes as there are and a few of the usual likeness, so that a short vocabulary is no
trap.

A class is related to q when cos(q, t) is within ``kinship`` of the best class for q: "a place to sleep" is
related to "bed", so that voxels of beds are not held against it. The relative test keeps absent things from
answering with whatever is least unlike them. A voxel that is nearer to a negative text than to q (both
centred) scores 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel, power_of_two
from rgbd_perception.mapping.products import DEPTH, LANES, ROWS, multiply, put, side_by_side
from rgbd_perception.mapping.threads import Runner, run_in_turn

_NEGLIGIBLE = 0.02
"""Voxels whose absolute test alone scores below this skip the competition; their score is an upper bound."""
_VECTORS_FOR_TWO = 2048
"""Fewer vectors are scored by one thread."""
_LARGEST_LOGIT, _NEVER = 80.0, -1e4
"""Beyond the first are the scores 0 and 1; the second is that of what is no answer at all."""
_LOG_2 = math.log(2)
_ABOVE_LOGITS = 128
"""Added, no logit is negative, and cutting off rounds down."""
_FAR = np.float32(8)
"""More than any difference between cosines."""
_NO_COSINE = 2.5
"""Its negative is below every cosine, also after what is generic was taken off."""
_USUAL_CLASSES = 8
"""So many classes of the usual likeness join the mean over the vocabulary."""


@dataclass(frozen=True)
class ScoreCalibration:
    """Numbers of the scoring rule for one text space.

    threshold is the least score of an answer, extent the share of the threshold down to which voxels still
    belong to the object that an answer describes. centring is 0 where cosines between texts say nothing about
    those between voxels and texts; usual is the likeness of unrelated texts.
    """

    scale: float
    offset: float
    threshold: float = 0.5
    kinship: float = 0.08
    sharpness: float = 25.0
    extent: float = 0.6
    centring: float = 0.0
    usual: float = 0.24


CALIBRATIONS: dict[str, ScoreCalibration] = {
    "all-MiniLM-L6-v2": ScoreCalibration(scale=25.0, offset=0.21, sharpness=50.0, centring=1.0),
}
"""By text space; fitted by benchmarks/fit_score_calibration.py on apartments neither trained nor tested on.
Spaces of CLIP models, whose cosines between image and text are low, take the other one."""
DEFAULT_CALIBRATION = ScoreCalibration(scale=60.0, offset=0.22, kinship=0.03, sharpness=60.0)


def calibration_for(text_space: str) -> ScoreCalibration:
    """Calibration of a text space, or one for CLIP-like spaces."""
    return CALIBRATIONS.get(text_space, DEFAULT_CALIBRATION)


@dataclass(frozen=True)
class QueryVectors:
    """What the scoring of one query needs, all rows unit float32 (until they are projected).

    texts (T, D), negatives (N, D), classes (C, D); related (T, C) bool: classes that do not compete with a
    text; generic (T + N,): what is taken off the cosines to texts and negatives.
    """

    texts: NDArray[np.float32]
    negatives: NDArray[np.float32]
    classes: NDArray[np.float32]
    related: NDArray[np.bool_]
    generic: NDArray[np.float32]

    @property
    def positive_and_negative(self) -> NDArray[np.float32]:
        """(T + N, D): the texts, then the negatives."""
        return np.concatenate([self.texts, self.negatives])

    def projected(self, basis: NDArray[np.float32]) -> QueryVectors:
        """The same for vectors that are coordinates on the orthonormal rows ``basis`` (d, D)."""
        texts, negatives, classes = (
            np.einsum("ij,kj->ik", vectors, basis) for vectors in (self.texts, self.negatives, self.classes)
        )
        return replace(self, texts=texts, negatives=negatives, classes=classes)


def query_vectors(
    texts: NDArray[np.float32],
    negatives: NDArray[np.float32],
    classes: NDArray[np.float32],
    calibration: ScoreCalibration,
) -> QueryVectors:
    """Normalise the embeddings of texts (T, D), negatives (N, D), classes (C, D) and find the related
    classes."""
    texts, negatives, classes = (_unit(vectors) for vectors in (texts, negatives, classes))
    likeness = texts @ classes.T
    best = likeness.max(axis=1, keepdims=True) if classes.shape[0] else likeness
    related = likeness >= best - calibration.kinship
    generic = _generic(np.concatenate([likeness, negatives @ classes.T]), calibration)
    return QueryVectors(texts, negatives, classes, related, generic)


def _generic(likeness: NDArray[np.float32], calibration: ScoreCalibration) -> NDArray[np.float32]:
    """(n,) from the cosines (n, C) of texts to the classes."""
    total = likeness.sum(axis=1) + _USUAL_CLASSES * calibration.usual
    generic = calibration.centring * total / (likeness.shape[1] + _USUAL_CLASSES)
    return generic.astype(np.float32)


def score_vectors(
    vectors: NDArray[np.number],
    query: QueryVectors,
    calibration: ScoreCalibration,
    run: Runner = run_in_turn,
) -> NDArray[np.float32]:
    """(n, D) vectors of any length and type -> (n, T) scores in 0..1; a zero vector scores 0."""
    scores = np.empty((vectors.shape[0], query.texts.shape[0]), np.float32)
    write_scores(vectors, query, calibration, scores, run)
    return scores


def write_scores(
    vectors: NDArray[np.number],
    query: QueryVectors,
    calibration: ScoreCalibration,
    scores: NDArray[np.float32],
    run: Runner = run_in_turn,
    *,
    least: float = 0.0,
    in_use: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Write the ``scores`` (n, T) of the (n, D) vectors; return whether the best of each (n,) is at least
    ``least``.

    Scores below ``least`` are 0, and so are those of vectors that are not ``in_use`` (n,): neither is worked
    out.
    """
    vectors = vectors if vectors.dtype in (np.int8, np.float32) else vectors.astype(np.float32)
    used = np.ones(vectors.shape[0], np.bool_) if in_use is None else in_use
    pairs, classes = side_by_side(query.positive_and_negative), side_by_side(query.classes)
    apart = np.full((scores.shape[1], 2, classes.shape[1]), _FAR, np.float32)
    apart[:, :, : query.classes.shape[0]] *= np.stack([~query.related, query.related], axis=1)
    rule = _rule(calibration, least)
    reaching = np.empty(vectors.shape[0], np.bool_)

    def score(first: int, last: int) -> None:
        part = slice(first, last)
        competing, lengths = np.empty(last - first, np.int32), np.empty(last - first, np.float32)
        found = _write_absolute(
            vectors[part], used[part], pairs, query.generic, rule, scores[part], competing, lengths
        )
        _compete(
            vectors[part],
            competing[:found],
            lengths[:found],
            classes,
            apart,
            query.generic,
            rule,
            scores[part],
        )
        _note_reaching(scores[part], rule.least, reaching[part])
        _to_scores(scores[part].reshape(-1), rule.least)

    run(score, vectors.shape[0], _VECTORS_FOR_TWO)
    return reaching


class _Rule(NamedTuple):
    """Numbers of the rule as float32: a cosine is ``undecided`` from which on the relative test may count;
    logits below ``least`` need not be right."""

    scale: float
    offset: float
    sharpness: float
    undecided: float
    least: float


def _rule(calibration: ScoreCalibration, least: float) -> _Rule:
    undecided = calibration.offset + max(_logit(_NEGLIGIBLE), _logit(least)) / calibration.scale
    numbers = (calibration.scale, calibration.offset, calibration.sharpness, undecided, _logit(least))
    return _Rule(*(np.float32(number) for number in numbers))


def _logit(score: float) -> float:
    return math.log(score / (1 - score)) if 0 < score < 1 else math.copysign(_LARGEST_LOGIT, score - 0.5)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


@kernel(fastmath=True)
def _is_near(products: NDArray[np.float32], k: int, floor: NDArray[np.float32], inverse: float) -> bool:
    """Whether vector ``k`` has some cosine (a product times ``inverse``) above the ``floor`` (m',); a zero
    vector has none."""
    above = np.float32(-_NO_COSINE)
    for lane in range(0, floor.size, LANES):
        for text in range(LANES):
            at = np.uint64(lane) + np.uint64(text)
            above = max(above, products[k, at] * inverse - floor[at])
    return above > 0 and inverse > 0


@kernel(fastmath=True)
def _center(
    cosines: NDArray[np.float32], k: int, generic: NDArray[np.float32], inverse: float, texts: int
) -> tuple[float, float]:
    """Turn the dot products of vector ``k`` into centred cosines; return the nearest text, and what a text
    must beat: the nearest negative, where there is any."""
    nearest = barrier = np.float32(-_NO_COSINE)
    for index in range(texts):
        cosines[k, index] = cosines[k, index] * inverse - generic[index]
        nearest = max(nearest, cosines[k, index])
    for index in range(texts, generic.size):
        barrier = max(barrier, cosines[k, index] * inverse - generic[index])
    return nearest, barrier


@kernel(fastmath=True)
def _margin(
    rivals: NDArray[np.float32], k: int, inverse: float, apart: NDArray[np.float32], text: int, cosine: float
) -> float:
    """Cosine to the text or a class related to it, less that to the nearest other class.

    ``apart`` (T, 2, C): what puts classes out of the running, for the first and the second.
    """
    own, other = cosine, np.float32(-_NO_COSINE)
    for lane in range(0, rivals.shape[1], LANES):
        for index in range(LANES):
            at = np.uint64(lane) + np.uint64(index)
            rival = rivals[k, at] * inverse
            own = max(own, rival - apart[text, 0, at])
            other = max(other, rival - apart[text, 1, at])
    return own - other


@kernel
def _write_absolute(
    vectors: NDArray[np.number],
    in_use: NDArray[np.bool_],
    pairs: NDArray[np.float32],
    generic: NDArray[np.float32],
    rule: _Rule,
    logits: NDArray[np.float32],
    competing: NDArray[np.int32],
    lengths: NDArray[np.float32],
) -> int:
    """Logits (n, T) of the absolute test alone; those of vectors that are far from every text are _NEVER.

    Return how many vectors are left to the relative test; write which, and 1 / their lengths.
    """
    texts, found = logits.shape[1], 0
    pieces = np.zeros((pairs.shape[0] // DEPTH, ROWS, DEPTH), np.float32)
    cosines = np.empty((ROWS, pairs.shape[1]), np.float32)
    inverse = np.empty(ROWS, np.float32)
    floor = np.full(pairs.shape[1], _NO_COSINE, np.float32)
    floor[:texts] = generic[:texts] + (rule.offset + rule.least / rule.scale)
    for first in range(0, vectors.shape[0], ROWS):
        last = min(first + ROWS, vectors.shape[0])
        for row in range(first, last):
            square = put(vectors, row, pieces, row - first)
            inverse[row - first] = np.float32(1) / np.sqrt(square) if square > 0 else np.float32(0)
        multiply(pieces, pairs, cosines)
        for row in range(first, last):
            k = row - first
            if not (in_use[row] and _is_near(cosines, k, floor, inverse[k])):
                for text in range(texts):
                    logits[row, text] = _NEVER
                continue
            nearest, barrier = _center(cosines, k, generic, inverse[k], texts)
            for text in range(texts):
                cosine = cosines[k, text]
                logits[row, text] = rule.scale * (cosine - rule.offset) if cosine > barrier else _NEVER
            if nearest > max(rule.undecided, barrier):
                competing[found], lengths[found] = row, inverse[k]
                found += 1
    return found


@kernel
def _compete(
    vectors: NDArray[np.number],
    competing: NDArray[np.int32],
    lengths: NDArray[np.float32],
    classes: NDArray[np.float32],
    apart: NDArray[np.float32],
    generic: NDArray[np.float32],
    rule: _Rule,
    logits: NDArray[np.float32],
) -> None:
    """Lower the logits (n, T) of the ``competing`` vectors to those of the relative test."""
    pieces = np.zeros((classes.shape[0] // DEPTH, ROWS, DEPTH), np.float32)
    rivals = np.empty((ROWS, classes.shape[1]), np.float32)
    for first in range(0, competing.size, ROWS):
        last = min(first + ROWS, competing.size)
        for place in range(first, last):
            put(vectors, competing[place], pieces, place - first)
        multiply(pieces, classes, rivals)
        for place in range(first, last):
            row = competing[place]
            for text in range(logits.shape[1]):
                cosine = logits[row, text] / rule.scale + rule.offset
                if cosine > rule.undecided:
                    margin = _margin(
                        rivals, place - first, lengths[place], apart, text, cosine + generic[text]
                    )
                    logits[row, text] = min(logits[row, text], rule.sharpness * margin)


@kernel(fastmath=True)
def _note_reaching(logits: NDArray[np.float32], least: float, reaching: NDArray[np.bool_]) -> None:
    """Write whether some logit (n, T) of each vector is that of an answer and at least ``least``."""
    for row in range(logits.shape[0]):
        best = np.float32(_NEVER)
        for text in range(logits.shape[1]):
            best = max(best, logits[row, text])
        reaching[row] = best >= least and best > _NEVER


@kernel(fastmath=True)
def _to_scores(values: NDArray[np.float32], least: float) -> None:
    """Logits become scores, 0 for those below ``least``."""
    for i in range(values.size):
        score = _sigmoid(values[i])
        values[i] = score if values[i] >= least and values[i] > _NEVER else np.float32(0)


@kernel(fastmath=True)
def _sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) without branches.

    exp(x) is 2**n * exp(r) with the nearest n and a polynomial for |r| <= log(2) / 2; its error is 2e-7.
    """
    x = min(max(-logit, np.float32(-_LARGEST_LOGIT)), np.float32(_LARGEST_LOGIT))
    power = np.int32(x * np.float32(1 / _LOG_2) + np.float32(_ABOVE_LOGITS + 0.5)) - np.int32(_ABOVE_LOGITS)
    r = x - np.float32(power) * np.float32(_LOG_2)
    series = np.float32(1 / 120) + r * np.float32(1 / 720)
    series = np.float32(1 / 24) + r * series
    series = np.float32(1 / 6) + r * series
    series = np.float32(1 / 2) + r * series
    series = np.float32(1) + r * (np.float32(1) + r * series)
    return np.float32(1) / (np.float32(1) + series * power_of_two(np.int32(power)))
