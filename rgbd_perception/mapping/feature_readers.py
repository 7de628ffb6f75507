"""Reading the embeddings of a map while it changes: scores, cosines and directions of voxels."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import half_bits, kernel, widen
from rgbd_perception.mapping.nearest_classes import NearestClasses
from rgbd_perception.mapping.scoring import QueryVectors, ScoreCalibration, scores_of_at_least, write_scores
from rgbd_perception.mapping.shared_rows import rounded
from rgbd_perception.mapping.sketches import SKETCH_DIM, count_sketches
from rgbd_perception.mapping.threads import Runner

if TYPE_CHECKING:
    from rgbd_perception.mapping.snapshot import Columns

HOT = np.uint32(1 << 31)
"""From here on a number in ``feature_at`` is HOT + a slot of the voxels in view; below, a shared row."""

_VOXELS_FOR_TWO = 1 << 18
"""Fewer voxels are looked up by one thread."""


class Scorer(Protocol):
    """Scores of voxels for the texts of one query, from their embeddings."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the methods look at."""

    @property
    def best(self) -> NDArray[np.float32] | None:
        """(T,) best scores of all embeddings in the map, where they are known without looking at voxels."""

    def write(self, columns: Columns, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Write the ``scores`` (n, T) of n voxels; return whether they have an embedding (n,)."""

    def reaching(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether some score of each (n,) is not below the least, and whether they have an embedding (n,)."""


class FeatureReader(Protocol):
    """Embeddings of one instant."""

    def scorer(self, query: QueryVectors, calibration: ScoreCalibration, least: float, run: Runner) -> Scorer:
        """What scores blocks of a snapshot that was taken at the same instant; scores below ``least`` are
        given as 0."""

    def cosines(
        self, columns: Columns, others: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(n, m) cosines of n voxels to the unit rows ``others`` (m, D), and whether they have an embedding
        (n,)."""

    @property
    def sketch_dim(self) -> int:
        """Numbers of a sketch."""

    def sketches(self, columns: Columns, chosen: NDArray[np.int64]) -> NDArray[np.int8]:
        """(n, sketch_dim) of length 127 for the ``chosen`` of n voxels, undefined for the others: their dot
        products are about the cosines of the embeddings."""


class SharedReader:
    """Of a map with shared rows. ``rows`` int8 never change while they are read; slots are copied."""

    def __init__(
        self,
        basis: NDArray[np.float32],
        rows: NDArray[np.int8],
        hot: NDArray[np.float16],
        in_use: NDArray[np.bool_],
        nearest: NearestClasses,
    ) -> None:
        """``hot``: all slots, to be copied; ``in_use``: which of the rows, followed by the slots, some voxel
        has."""
        self.basis, self.rows, self.in_use, self.nearest = basis, rows, in_use, nearest
        self.slots = np.flatnonzero(in_use[rows.shape[0] :])
        self._halves = hot[self.slots]
        self._sketches: NDArray[np.int8] | None = None

    @cached_property
    def of_slots(self) -> NDArray[np.float32]:
        """Coordinates (k, d) of the ``slots`` (k,) in use, widened when they are first asked for: the map
        need not wait for that."""
        wide = np.empty(self._halves.shape, np.float32)
        widen(half_bits(self._halves), wide)
        return wide

    @cached_property
    def hot(self) -> NDArray[np.float32]:
        """Coordinates of all slots, 0 for those that are not in use."""
        wide = np.zeros((self.in_use.size - self.rows.shape[0], self.rows.shape[1]), np.float32)
        wide[self.slots] = self.of_slots
        return wide

    def number(self, at: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Place of the embeddings ``at`` among the rows followed by the slots."""
        numbers = at.astype(np.int64)
        return np.where(at >= HOT, numbers - int(HOT) + self.rows.shape[0], numbers)

    def vectors(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, d) coordinates, of any length."""
        is_hot = numbers >= self.rows.shape[0]
        wide = self.rows[np.where(is_hot, 0, numbers)].astype(np.float32)
        wide[is_hot] = self.hot[numbers[is_hot] - self.rows.shape[0]]
        return wide

    def cosines(
        self, columns: Columns, others: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Worked out on the coordinates."""
        vectors = self.vectors(self.number(columns["feature_at"]))
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors @ (others @ self.basis.T).T / np.maximum(length, 1e-12), length[:, 0] > 0

    def scorer(self, query: QueryVectors, calibration: ScoreCalibration, least: float, run: Runner) -> Scorer:
        """Scores every row and slot once; voxels only look theirs up."""
        query = query.projected(self.basis)
        if least > 0:
            return ReachingScorer(self, query, calibration, least, run)
        return SharedScorer(self, query, calibration, run)

    def packed(
        self, at: NDArray[np.uint32]
    ) -> tuple[NDArray[np.int8], NDArray[np.uint32], NDArray[np.float32]]:
        """What voxels with these ``at`` need: distinct vectors (F, d), for each voxel 1 + which, or 0, and
        the directions (d, D) that were found so far."""
        numbers = self.number(at)
        used, place = np.unique(numbers, return_inverse=True)
        without = int(used.size > 0 and used[0] == 0)
        shared = self.rows.shape[0]
        vectors = np.concatenate(
            [self.rows[used[without:][used[without:] < shared]], rounded(self._hot(used))]
        )
        dims = int(np.count_nonzero(self.basis.any(axis=1)))
        return vectors[:, :dims], (place + 1 - without).astype(np.uint32), self.basis[:dims]

    def _hot(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        shared = self.rows.shape[0]
        return self.hot[numbers[numbers >= shared] - shared]

    @property
    def sketch_dim(self) -> int:
        """Numbers of a sketch: the coordinates themselves."""
        return self.rows.shape[1]

    def sketches(self, columns: Columns, chosen: NDArray[np.int64]) -> NDArray[np.int8]:
        """Directions of the coordinates, each worked out once for all voxels that share it."""
        if self._sketches is None:
            self._sketches = np.empty((self.in_use.size, self.sketch_dim), np.int8)
            _round_directions(self.rows, self._sketches[: self.rows.shape[0]])
            _round_directions(self.hot, self._sketches[self.rows.shape[0] :])
        return self._sketches[self.number(columns["feature_at"])]


class ExactReader:
    """Of a map that keeps every embedding."""

    def cosines(
        self, columns: Columns, others: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Worked out on the embeddings."""
        feature = columns["feature"]
        length = np.linalg.norm(feature, axis=1, keepdims=True)
        return feature @ others.T / np.maximum(length, 1e-12), length[:, 0] > 0

    def scorer(self, query: QueryVectors, calibration: ScoreCalibration, least: float, run: Runner) -> Scorer:
        """Scores the voxels one by one."""
        return ExactScorer(query, calibration, least, run)

    sketch_dim = SKETCH_DIM

    def sketches(self, columns: Columns, chosen: NDArray[np.int64]) -> NDArray[np.int8]:
        """Count sketches."""
        return count_sketches(columns["feature"], chosen)


class SharedScorer:
    """A table with the scores (F, T) of all rows and slots of ``reader``."""

    columns = ("feature_at",)

    def __init__(
        self, reader: SharedReader, query: QueryVectors, calibration: ScoreCalibration, run: Runner
    ) -> None:
        self._shared, self._run, self._in_use = reader.rows.shape[0], run, reader.in_use
        self._table = np.empty((reader.in_use.size, query.texts.shape[0]), np.float32)
        parts = (
            (reader.rows, slice(0, self._shared)),
            (reader.hot, slice(self._shared, reader.in_use.size)),
        )
        for vectors, part in parts:
            write_scores(vectors, query, calibration, self._table[part], run, in_use=reader.in_use[part])

    @property
    def best(self) -> NDArray[np.float32]:
        """Of all rows and slots in use."""
        return self._table[self._in_use].max(axis=0, initial=-1)

    def write(self, columns: Columns, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Looked up."""
        at = columns["feature_at"]

        def look_up(first: int, last: int) -> None:
            _look_up_scores(at[first:last], self._table, self._shared, scores[first:last])

        self._run(look_up, at.size, _VOXELS_FOR_TWO)
        return np.asarray(at > 0)

    def reaching(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Every voxel with an embedding: no score is below 0."""
        known = np.asarray(columns["feature_at"] > 0)
        return known.copy(), known


class ReachingScorer:
    """A table with the scores of those rows and slots of ``reader`` that reach ``least``; others score 0.

    ``places`` (F,) of all rows and slots in the ``table`` (k + 1, T), whose first scores are 0.
    """

    columns = ("feature_at",)

    def __init__(
        self,
        reader: SharedReader,
        query: QueryVectors,
        calibration: ScoreCalibration,
        least: float,
        run: Runner,
    ) -> None:
        self._shared, self._run, self._in_use = reader.rows.shape[0], run, reader.in_use
        pairs = reader.nearest.to(query.classes)
        found = scores_of_at_least(
            reader.rows,
            query,
            calibration,
            least,
            run,
            reader.in_use[: self._shared],
            None if pairs is None else pairs[: self._shared],
        )
        for numbers, scores in scores_of_at_least(reader.of_slots, query, calibration, least, run):
            found.append(((reader.slots[numbers] + self._shared).astype(np.int32), scores))
        nothing = np.zeros((1, query.texts.shape[0]), np.float32)
        self.table = np.concatenate([nothing, *(scores for _, scores in found)])
        self.places = np.zeros(reader.in_use.size, np.int32)
        place = 1
        for numbers, _ in found:
            _put_places(numbers, place, self.places)
            place += numbers.size

    @cached_property
    def _reaches(self) -> NDArray[np.bool_]:
        return np.asarray(self.places > 0)

    @property
    def best(self) -> NDArray[np.float32]:
        """Of all rows and slots in use."""
        return self.table[int(not self._in_use.any()) :].max(axis=0, initial=-1)

    def places_of(self, at: NDArray[np.uint32]) -> NDArray[np.int32]:
        """Places in the table of embeddings (n,), numbered as in ``feature_at``."""
        places = np.empty(at.size, np.int32)

        def look_up(first: int, last: int) -> None:
            _look_up_each(at[first:last], self.places, self._shared, places[first:last])

        self._run(look_up, at.size, _VOXELS_FOR_TWO)
        return places

    def write(self, columns: Columns, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Looked up."""
        _look_up_places(columns["feature_at"], self.places, self.table, self._shared, scores)
        return np.asarray(columns["feature_at"] > 0)

    def reaching(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Looked up."""
        at = columns["feature_at"]
        reaching = np.empty(at.size, np.bool_)

        def look_up(first: int, last: int) -> None:
            _look_up(at[first:last], self._reaches, self._shared, reaching[first:last])

        self._run(look_up, at.size, _VOXELS_FOR_TWO)
        return reaching, at > 0


class ExactScorer:
    """Scores every voxel anew."""

    columns = ("feature", "feature_weight")
    best = None

    def __init__(self, query: QueryVectors, calibration: ScoreCalibration, least: float, run: Runner) -> None:
        self._query, self._calibration, self._least, self._run = query, calibration, least, run

    def write(self, columns: Columns, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Worked out."""
        write_scores(columns["feature"], self._query, self._calibration, scores, self._run, least=self._least)
        return np.asarray(columns["feature_weight"] > 0)

    def reaching(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Worked out."""
        scores = np.empty((columns["feature"].shape[0], self._query.texts.shape[0]), np.float32)
        known = self.write(columns, scores)
        return scores.max(axis=1) >= self._least, known


@kernel
def _place(at: np.uint32, shared: int) -> int:
    """Number of an embedding among the shared rows followed by the slots."""
    return np.int64(at) - np.int64(HOT) + shared if at >= HOT else np.int64(at)


@kernel
def _put_places(numbers: NDArray[np.int32], first: int, places: NDArray[np.int32]) -> None:
    for i in range(numbers.size):
        places[numbers[i]] = first + i


@kernel
def _look_up(at: NDArray[np.uint32], table: NDArray[np.bool_], shared: int, found: NDArray[np.bool_]) -> None:
    for i in range(at.size):
        found[i] = table[_place(at[i], shared)]


@kernel
def _look_up_each(
    at: NDArray[np.uint32], places: NDArray[np.int32], shared: int, found: NDArray[np.int32]
) -> None:
    for i in range(at.size):
        found[i] = places[_place(at[i], shared)]


@kernel
def _look_up_scores(
    at: NDArray[np.uint32], table: NDArray[np.float32], shared: int, found: NDArray[np.float32]
) -> None:
    for i in range(at.size):
        place = _place(at[i], shared)
        for text in range(table.shape[1]):
            found[i, text] = table[place, text]


@kernel
def _look_up_places(
    at: NDArray[np.uint32],
    places: NDArray[np.int32],
    table: NDArray[np.float32],
    shared: int,
    found: NDArray[np.float32],
) -> None:
    for i in range(at.size):
        place = places[_place(at[i], shared)]
        for text in range(table.shape[1]):
            found[i, text] = table[place, text]


@kernel(fastmath=True)
def _round_directions(vectors: NDArray[np.number], rounded: NDArray[np.int8]) -> None:
    """Vectors (n, d) with the length 127."""
    for i in range(vectors.shape[0]):
        square = np.float32(0)
        for j in range(vectors.shape[1]):
            value = np.float32(vectors[i, j])
            square += value * value
        scale = np.float32(127) / max(np.sqrt(square), np.float32(1e-12))
        for j in range(vectors.shape[1]):
            rounded[i, j] = np.int8(np.rint(np.float32(vectors[i, j]) * scale))
