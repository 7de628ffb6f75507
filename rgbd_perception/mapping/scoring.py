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

from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.exact_scores import Rivals, exact_logits, keep_reaching, rivals_of
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.near_vectors import Texts, near_vectors, texts_for
from rgbd_perception.mapping.quick_scores import Contest, quick_logits
from rgbd_perception.mapping.score_rule import ScoreRule, logit, to_scores
from rgbd_perception.mapping.threads import Runner, run_in_turn

_NEGLIGIBLE = 0.02
"""Voxels whose absolute test alone scores below this skip the competition; their score is an upper bound."""
_VECTORS_FOR_TWO = 2048
"""Fewer vectors are scored by one thread."""
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
            _projected(vectors, basis) for vectors in (self.texts, self.negatives, self.classes)
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
) -> None:
    """Write the ``scores`` (n, T) of the (n, D) vectors.

    Scores below ``least`` are 0, and so are those of vectors that are not ``in_use`` (n,): neither is worked
    out.
    """
    vectors, used, rule = _ready(vectors), _used(vectors, in_use), _rule(calibration, least)
    texts, rivals = _texts(query, vectors.dtype, rule.undecided), _rivals(query)

    def score(first: int, last: int) -> None:
        part = slice(first, last)
        near = near_vectors(vectors[part], used[part], texts, rule, scores[part])
        scores[part][near.numbers] = exact_logits(vectors[part], near.numbers, rivals, rule)
        to_scores(scores[part].reshape(-1), rule.least)

    run(score, vectors.shape[0], _VECTORS_FOR_TWO)


def scores_of_at_least(
    vectors: NDArray[np.number],
    query: QueryVectors,
    calibration: ScoreCalibration,
    least: float,
    run: Runner = run_in_turn,
    in_use: NDArray[np.bool_] | None = None,
    pairs: NDArray[np.uint32] | None = None,
) -> list[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """Numbers (k,), ascending, of the (n, D) vectors ``in_use`` (n,) whose best score is at least ``least``,
    and the scores (k, T) of these; those below ``least`` are 0. In parts, one behind the other.

    ``pairs`` (n,): what NearestClasses keeps for vectors of 8 bits, which spares most of the work; what is
    missing is added.
    """
    if vectors.shape[0] == 0:
        return []
    vectors, used, rule = _ready(vectors), _used(vectors, in_use), _rule(calibration, least)
    texts = _texts(query, vectors.dtype, rule.offset + rule.least / rule.scale)
    rivals = cache(partial(_rivals, query))
    contest = Contest(query.positive_and_negative, query.classes, query.generic, query.related)
    nowhere = np.empty((0, query.texts.shape[0]), np.float32)
    parts: dict[tuple[int, int], tuple[NDArray[np.int32], NDArray[np.float32]]] = {}

    def score(first: int, last: int) -> None:
        part = slice(first, last)
        near = near_vectors(vectors[part], used[part], texts, rule, nowhere)
        found = near.numbers
        if pairs is None:
            logits = exact_logits(vectors[part], found, rivals(), rule)
        else:
            logits, undecided = quick_logits(vectors[part], near, pairs[part], contest, rule)
            if undecided.size:
                logits[undecided] = exact_logits(vectors[part], found[undecided], rivals(), rule, pairs[part])
        kept = keep_reaching(found, logits, rule.least)
        to_scores(logits[:kept].reshape(-1), rule.least)
        parts[first, last] = found[:kept] + np.int32(first), logits[:kept]

    run(score, vectors.shape[0], _VECTORS_FOR_TWO)
    return [parts[bounds] for bounds in sorted(parts)]


def _ready(vectors: NDArray[np.number]) -> NDArray[np.number]:
    """As the kernels take them."""
    return vectors if vectors.dtype in (np.int8, np.float32) else vectors.astype(np.float32)


def _used(vectors: NDArray[np.number], in_use: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    return np.ones(vectors.shape[0], np.bool_) if in_use is None else in_use


def _texts(query: QueryVectors, kind: np.dtype[np.number], near: float) -> Texts:
    """For vectors of a ``kind``, of which those with a centred cosine of ``near`` are looked at."""
    return texts_for(kind, query.positive_and_negative, query.generic, query.texts.shape[0], near)


def _rivals(query: QueryVectors) -> Rivals:
    return rivals_of(query.positive_and_negative, query.generic, query.classes, query.related)


def _rule(calibration: ScoreCalibration, least: float) -> ScoreRule:
    undecided = calibration.offset + max(logit(_NEGLIGIBLE), logit(least)) / calibration.scale
    numbers = (calibration.scale, calibration.offset, calibration.sharpness, undecided, logit(least))
    return ScoreRule(*(np.float32(number) for number in numbers))


@kernel(fastmath=True)
def _projected(vectors: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, d) coordinates of (n, D) vectors on the rows (d, D); each as it would be alone."""
    coordinates = np.empty((vectors.shape[0], basis.shape[0]), np.float32)
    for i in range(vectors.shape[0]):
        for k in range(basis.shape[0]):
            total = np.float32(0)
            for j in range(vectors.shape[1]):
                total += vectors[i, j] * basis[k, j]
            coordinates[i, k] = total
    return coordinates


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
