"""How well a voxel answers a text: calibrated cosine, competition with the vocabulary, negatives.

For a voxel v, a text q and the texts t of the class vocabulary (all compared by cosine):

    absolute    scale * (cos(v, q) - offset)                      is v about q at all?
    own         max(cos(v, q), cos(v, t) over the classes related to q)
    other       max(cos(v, t) over all other classes)
    relative    sharpness * (own - other)                         or is v rather something else?
    score       sigmoid(min(absolute, relative))                  as good as the weaker of both

A class is related to q when cos(q, t) is within ``kinship`` of the best class for q: "a place to sleep" is
related to "bed", so that voxels of beds are not held against it. The relative test keeps absent things from
answering with whatever is least unlike them. A voxel that is nearer to a negative text than to q scores 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import half_bits, half_to_float, kernel
from rgbd_perception.mapping.threads import Runner, run_in_turn

_NEGLIGIBLE = 0.02
"""Voxels whose absolute test alone scores below this skip the competition; their score is an upper bound."""
_VOXELS_FOR_TWO = 1024
"""Fewer voxels are scored by one thread."""


@dataclass(frozen=True)
class ScoreCalibration:
    """Numbers of the scoring rule for one text space.

    threshold is the least score of an answer, extent the share of the threshold down to which voxels still
    belong to the object that an answer describes.
    """

    scale: float
    offset: float
    threshold: float = 0.5
    kinship: float = 0.08
    sharpness: float = 25.0
    extent: float = 0.6


CALIBRATIONS: dict[str, ScoreCalibration] = {
    "all-MiniLM-L6-v2": ScoreCalibration(scale=25.0, offset=0.38),
}
"""By text space. Spaces of CLIP models, whose cosines between image and text are low, take the other one."""
DEFAULT_CALIBRATION = ScoreCalibration(scale=60.0, offset=0.22, kinship=0.03, sharpness=60.0)


def calibration_for(text_space: str) -> ScoreCalibration:
    """Calibration of a text space, or one for CLIP-like spaces."""
    return CALIBRATIONS.get(text_space, DEFAULT_CALIBRATION)


@dataclass(frozen=True)
class QueryVectors:
    """What the scoring of one query needs, all rows unit float32.

    texts (T, D), negatives (N, D), classes (C, D); related (T, C) bool: classes that do not compete with a
    text.
    """

    texts: NDArray[np.float32]
    negatives: NDArray[np.float32]
    classes: NDArray[np.float32]
    related: NDArray[np.bool_]


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
    return QueryVectors(texts, negatives, classes, likeness >= best - calibration.kinship)


def score_vectors(
    vectors: NDArray[np.float16],
    query: QueryVectors,
    calibration: ScoreCalibration,
    run: Runner = run_in_turn,
) -> NDArray[np.float32]:
    """(n, D) float16 vectors of any length -> (n, T) scores in 0..1; a zero vector scores 0."""
    scores = np.empty((vectors.shape[0], query.texts.shape[0]), np.float32)
    bits = half_bits(np.ascontiguousarray(vectors))
    negligible = math.log(_NEGLIGIBLE / (1 - _NEGLIGIBLE))
    run(
        lambda first, last: _score(
            bits[first:last], query.texts, query.negatives, query.classes, query.related,
            calibration.scale, calibration.offset, calibration.sharpness, negligible, scores[first:last],
        ),
        vectors.shape[0],
        _VOXELS_FOR_TWO,
    )  # fmt: skip
    return scores


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


@kernel(fastmath=True)
def _dots(
    row: NDArray[np.float32], others: NDArray[np.float32], factor: float, out: NDArray[np.float32]
) -> None:
    for i in range(others.shape[0]):
        total = np.float32(0)
        for j in range(row.size):
            total += row[j] * others[i, j]
        out[i] = total * factor


@kernel(fastmath=True)
def _widen_row(bits: NDArray[np.uint16], row: NDArray[np.float32]) -> float:
    """Widen one vector and return its squared length."""
    total = np.float32(0)
    for j in range(row.size):
        value = half_to_float(bits[j])
        row[j] = value
        total += value * value
    return total


@kernel
def _score(
    bits: NDArray[np.uint16],
    texts: NDArray[np.float32],
    negatives: NDArray[np.float32],
    classes: NDArray[np.float32],
    related: NDArray[np.bool_],
    scale: float,
    offset: float,
    sharpness: float,
    negligible: float,
    scores: NDArray[np.float32],
) -> None:
    row = np.empty(bits.shape[1], np.float32)
    positive = np.empty(texts.shape[0], np.float32)
    negative = np.empty(negatives.shape[0], np.float32)
    competitor = np.empty(classes.shape[0], np.float32)
    for i in range(bits.shape[0]):
        squared = _widen_row(bits[i], row)
        if squared == 0:
            scores[i] = 0
            continue
        factor = np.float32(1.0 / np.sqrt(squared))
        _dots(row, texts, factor, positive)
        _dots(row, negatives, factor, negative)
        barrier = np.float32(-2.0)
        for value in negative:
            barrier = max(barrier, value)
        competing = False
        for t in range(texts.shape[0]):
            absolute = scale * (positive[t] - offset)
            if positive[t] <= barrier:
                scores[i, t] = 0
                continue
            if absolute > negligible:
                if not competing:
                    _dots(row, classes, factor, competitor)
                    competing = True
                own, other = positive[t], np.float32(-2.0)
                for c in range(classes.shape[0]):
                    if related[t, c]:
                        own = max(own, competitor[c])
                    else:
                        other = max(other, competitor[c])
                absolute = min(absolute, sharpness * (own - other))
            scores[i, t] = 1.0 / (1.0 + np.exp(-absolute))
