"""Reading the embeddings of a map while it changes: scores, cosines and directions of voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.scoring import QueryVectors, ScoreCalibration, score_vectors
from rgbd_perception.mapping.shared_rows import rounded
from rgbd_perception.mapping.threads import Runner

if TYPE_CHECKING:
    from rgbd_perception.mapping.snapshot import Columns, Snapshot

HOT = np.uint32(1 << 31)
"""From here on a number in ``feature_at`` is HOT + a slot of the voxels in view; below, a shared row."""

_SKETCH_DIM = 64
_CHUNK = 4096


class Scorer(Protocol):
    """Scores of voxels for the texts of one query, from their embeddings."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the methods look at."""

    @property
    def best(self) -> NDArray[np.float32] | None:
        """(T,) best scores of all embeddings in the map, where they are known without looking at voxels."""

    def scores(self, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Scores (n, T) of n voxels, and whether they have an embedding (n,)."""

    def largest(self, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The largest score (n,) of each over the texts, and whether they have an embedding (n,)."""


class FeatureReader(Protocol):
    """Embeddings of one instant."""

    def scorer(self, query: QueryVectors, calibration: ScoreCalibration, run: Runner) -> Scorer:
        """What scores blocks of a snapshot that was taken at the same instant."""

    def directions(self, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, d) unit vectors whose dot products are about the cosines of the embeddings; 0 for none."""


class SharedReader:
    """Of a map with shared rows. ``rows`` int8 never change while they are read; ``hot`` is a copy."""

    def __init__(
        self,
        basis: NDArray[np.float32],
        rows: NDArray[np.int8],
        hot: NDArray[np.float16],
        in_use: NDArray[np.bool_],
    ) -> None:
        """``in_use``: which of the rows, followed by the slots, some voxel has."""
        self.basis, self.rows, self.hot, self.in_use = basis, rows, hot, in_use

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
        self, at: NDArray[np.uint32], others: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(n, m) cosines to the unit rows ``others`` (m, D), and whether there is an embedding (n,)."""
        vectors = self.vectors(self.number(at))
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors @ (others @ self.basis.T).T / np.maximum(length, 1e-12), length[:, 0] > 0

    def scorer(self, query: QueryVectors, calibration: ScoreCalibration, run: Runner) -> Scorer:
        """Scores every row and slot once; voxels only look theirs up."""
        projected = query.projected(self.basis)
        table = [score_vectors(part, projected, calibration, run) for part in (self.rows, self.hot)]
        return SharedScorer(self, np.concatenate(table))

    def packed(self, at: NDArray[np.uint32]) -> tuple[NDArray[np.int8], NDArray[np.uint32]]:
        """What voxels with these ``at`` need: distinct vectors (F, d), and for each voxel 1 + which, or 0."""
        numbers = self.number(at)
        used, place = np.unique(numbers, return_inverse=True)
        without = int(used.size > 0 and used[0] == 0)
        shared = self.rows.shape[0]
        vectors = np.concatenate(
            [self.rows[used[without:][used[without:] < shared]], rounded(self._hot(used))]
        )
        return vectors, (place + 1 - without).astype(np.uint32)

    def _hot(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        shared = self.rows.shape[0]
        return self.hot[numbers[numbers >= shared] - shared].astype(np.float32)

    def directions(self, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, d) unit coordinates."""
        vectors = self.vectors(self.number(snapshot.gather(rows, ("feature_at",))["feature_at"]))
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


class ExactReader:
    """Of a map that keeps every embedding."""

    def cosines(
        self, feature: NDArray[np.float32], others: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(n, m) cosines of (n, D) to the unit rows ``others`` (m, D), and whether there is one (n,)."""
        length = np.linalg.norm(feature, axis=1, keepdims=True)
        return feature @ others.T / np.maximum(length, 1e-12), length[:, 0] > 0

    def scorer(self, query: QueryVectors, calibration: ScoreCalibration, run: Runner) -> Scorer:
        """Scores the voxels one by one."""
        return ExactScorer(query, calibration, run)

    def directions(self, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, 64) random projections (Johnson and Lindenstrauss 1984), unit."""
        shape, _ = snapshot.column("feature") or ((0,), None)
        projection = np.random.default_rng(0).standard_normal((shape[0], _SKETCH_DIM), np.float32)
        sketches = np.empty((rows.size, _SKETCH_DIM), np.float32)
        for first in range(0, rows.size, _CHUNK):
            part = snapshot.gather(rows[first : first + _CHUNK], ("feature",))["feature"]
            sketches[first : first + _CHUNK] = part @ projection
        return sketches / np.maximum(np.linalg.norm(sketches, axis=1, keepdims=True), 1e-12)


class SharedScorer:
    """A table with the scores (F, T) of all rows and slots of ``reader``."""

    columns = ("feature_at",)

    def __init__(self, reader: SharedReader, table: NDArray[np.float32]) -> None:
        self._reader = reader
        self._table = table
        self._largest = table.max(axis=1)
        self.best = np.where(reader.in_use[:, None], table, np.float32(-1)).max(axis=0)

    def scores(self, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Looked up."""
        at = columns["feature_at"]
        return self._table[self._reader.number(at)], at > 0

    def largest(self, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Looked up."""
        at = columns["feature_at"]
        largest = np.empty(at.size, np.float32)
        _look_up(at, self._largest, self._reader.rows.shape[0], largest)
        return largest, at > 0


class ExactScorer:
    """Scores every voxel anew."""

    columns = ("feature", "feature_weight")
    best = None

    def __init__(self, query: QueryVectors, calibration: ScoreCalibration, run: Runner) -> None:
        self._query, self._calibration, self._run = query, calibration, run

    def scores(self, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Worked out."""
        scores = score_vectors(columns["feature"], self._query, self._calibration, self._run)
        return scores, columns["feature_weight"] > 0

    def largest(self, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Worked out."""
        scores, known = self.scores(columns)
        return scores.max(axis=1), known


@kernel
def _look_up(
    at: NDArray[np.uint32], table: NDArray[np.float32], shared: int, found: NDArray[np.float32]
) -> None:
    for i in range(at.size):
        place = np.int64(at[i])
        found[i] = table[place - np.int64(HOT) + shared if place >= np.int64(HOT) else place]
