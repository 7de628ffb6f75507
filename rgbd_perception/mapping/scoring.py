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

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.threads import Runner, run_in_turn

_NEGLIGIBLE = 0.02
"""Voxels whose absolute test alone scores below this skip the competition; their score is an upper bound."""
_VECTORS_FOR_TWO = 2048
"""Fewer vectors are scored by one thread."""
_CHUNK = 2048
"""Vectors that are widened to float32 at a time: they stay in the cache."""
_ZERO_VECTOR = -2.0
"""Stands for the cosine of a vector of zeros, below every other."""
_NO_ANGLE = -1.5
"""Between it and true cosines, also after what is generic was taken off both."""
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
            vectors @ basis.T for vectors in (self.texts, self.negatives, self.classes)
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

    def score(first: int, last: int) -> None:
        for start in range(first, last, _CHUNK):
            part = slice(start, min(start + _CHUNK, last))
            _score(vectors[part].astype(np.float32), query, calibration, scores[part])

    run(score, vectors.shape[0], _VECTORS_FOR_TWO)
    return scores


def _score(
    vectors: NDArray[np.float32],
    query: QueryVectors,
    calibration: ScoreCalibration,
    scores: NDArray[np.float32],
) -> None:
    texts = scores.shape[1]
    squares = np.einsum("ij,ij->i", vectors, vectors)
    length = np.sqrt(np.maximum(squares, 1e-24))[:, None]
    cosines = vectors @ query.positive_and_negative.T / length
    cosines[squares == 0] = _ZERO_VECTOR
    cosines -= query.generic
    negligible = calibration.offset + math.log(_NEGLIGIBLE / (1 - _NEGLIGIBLE)) / calibration.scale
    competing = _undecided(cosines, texts, negligible)
    rivals = vectors[competing] @ query.classes.T / length[competing]
    logits = calibration.scale * (cosines[:, :texts] - calibration.offset)
    _compete(
        cosines, query.generic, competing, rivals, query.related, negligible, calibration.sharpness, logits
    )
    _exclude(cosines, logits)
    with np.errstate(over="ignore"):  # exp(inf) is what a score of 0 needs
        np.divide(1, 1 + np.exp(-logits), out=scores)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


@kernel
def _barrier(cosines: NDArray[np.float32], voxel: int, texts: int) -> float:
    """What a positive must beat: the nearest negative, and what a zero vector has."""
    barrier = np.float32(_NO_ANGLE)
    for negative in range(texts, cosines.shape[1]):
        barrier = max(barrier, cosines[voxel, negative])
    return barrier


@kernel
def _undecided(cosines: NDArray[np.float32], texts: int, negligible: float) -> NDArray[np.int32]:
    """Vectors for which the competition with the classes can matter."""
    chosen = np.empty(cosines.shape[0], np.int32)
    count = 0
    for voxel in range(cosines.shape[0]):
        least = max(negligible, _barrier(cosines, voxel, texts))
        for text in range(texts):
            if cosines[voxel, text] > least:
                chosen[count] = voxel
                count += 1
                break
    return chosen[:count].copy()


@kernel
def _compete(
    cosines: NDArray[np.float32],
    generic: NDArray[np.float32],
    competing: NDArray[np.int32],
    rivals: NDArray[np.float32],
    related: NDArray[np.bool_],
    negligible: float,
    sharpness: float,
    logits: NDArray[np.float32],
) -> None:
    """The relative test, where the absolute one leaves something of a score."""
    for place in range(competing.size):
        voxel = competing[place]
        for text in range(logits.shape[1]):
            cosine = cosines[voxel, text]
            if cosine <= negligible:
                continue
            own, other = cosine + generic[text], np.float32(_ZERO_VECTOR)
            for index in range(rivals.shape[1]):
                if related[text, index]:
                    own = max(own, rivals[place, index])
                else:
                    other = max(other, rivals[place, index])
            logits[voxel, text] = min(logits[voxel, text], sharpness * (own - other))


@kernel
def _exclude(cosines: NDArray[np.float32], logits: NDArray[np.float32]) -> None:
    """No score for what is nearer to a negative, and for zero vectors."""
    texts = logits.shape[1]
    for voxel in range(logits.shape[0]):
        barrier = _barrier(cosines, voxel, texts)
        for text in range(texts):
            if cosines[voxel, text] <= barrier:
                logits[voxel, text] = -np.inf
