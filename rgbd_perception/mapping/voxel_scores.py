"""How well the voxels of a map answer texts: looked up for those with embeddings, else worked out."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.evidence import posterior
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.keys import NO_KEY, centers
from rgbd_perception.mapping.scoring import QueryVectors, ScoreCalibration, score_vectors
from rgbd_perception.mapping.snapshot import Columns, Snapshot
from rgbd_perception.mapping.threads import Runner

_ROWS = 1 << 16
"""Rows that are looked at while the map waits: well below a millisecond."""


class Place(Protocol):
    """A part of space: a box or a ball."""

    def contains(self, points: NDArray[np.floating]) -> NDArray[np.bool_]: ...


class VoxelScores:
    """Scores of the voxels of a snapshot for the texts of a query."""

    def __init__(
        self,
        snapshot: Snapshot,
        header: MapHeader,
        query: QueryVectors,
        calibration: ScoreCalibration,
        run: Runner,
    ) -> None:
        self._snapshot = snapshot
        self._header = header
        self._texts = query.texts.shape[0]
        self._class_scores = score_vectors(query.classes, query, calibration)
        self._scorer = snapshot.features.scorer(query, calibration, run) if snapshot.features else None
        names = ("class_slot", "evidence") if snapshot.column("class_slot") is not None else ()
        self.columns = (*names, *(self._scorer.columns if self._scorer else ()))
        """Columns that the scores depend on."""

    def of(self, columns: Columns) -> NDArray[np.float32]:
        """(n, T) scores of voxels with these columns."""
        count = columns["key"].size
        if self._scorer is None:
            scores, plain = np.zeros((count, self._texts), np.float32), np.arange(count)
        else:
            scores, known = self._scorer.scores(columns)
            plain = np.flatnonzero(~known)
        if plain.size:
            scores[plain] = self._by_class({name: column[plain] for name, column in columns.items()})
        return scores

    def rows_of_at_least(self, least: float, min_weight: float) -> NDArray[np.int64]:
        """Rows of the voxels observed with ``min_weight`` that score at least so much for some text."""

        def read(block: Columns) -> tuple[NDArray[np.bool_]]:
            return ((self._largest(block) >= least) & self._observed(block, min_weight),)

        rows = [np.flatnonzero(chosen) + first for first, (chosen,) in self._snapshot.blocks(read, _ROWS)]
        return np.concatenate(rows)

    def best(self, min_weight: float, place: Place | None) -> NDArray[np.float32]:
        """(T,) best scores of the voxels in ``place`` that were observed with ``min_weight``; -1 without any.

        For the whole of a map with shared embeddings those of all embeddings, which is quicker.
        """
        if place is None and self._scorer is not None and self._scorer.best is not None:
            return self._scorer.best

        def read(block: Columns) -> tuple[NDArray[np.float32]]:
            scores = self.of(block)
            left_out = ~self._observed(block, min_weight)
            if place is not None:
                left_out |= ~place.contains(centers(block["key"], self._header.voxel_size))
            scores[left_out] = -1.0
            return (scores,)

        best = np.full(self._texts, -1.0, np.float32)
        for _, (scores,) in self._snapshot.blocks(read):
            best = np.maximum(best, scores.max(axis=0))
        return best

    def all(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Keys (n,) of all voxels and their scores (n, T), well observed or not."""
        rows = self._snapshot.rows
        keys, scores = np.empty(rows, np.int64), np.empty((rows, self._texts), np.float32)
        for first, part in self._snapshot.blocks(lambda block: (block["key"].copy(), self.of(block)), _ROWS):
            keys[first : first + part[0].size], scores[first : first + part[0].size] = part
        live = keys != NO_KEY
        return (keys, scores) if live.all() else (keys[live], scores[live])

    def _largest(self, block: Columns) -> NDArray[np.float32]:
        """(n,) best score over the texts."""
        if self._scorer is None:
            return self._by_class(block).max(axis=1)
        largest, known = self._scorer.largest(block)
        plain = np.flatnonzero(~known)
        if plain.size:
            part = {name: block[name][plain] for name in ("key", *self.columns)}
            largest[plain] = self._by_class(part).max(axis=1)
        return largest

    def _observed(self, block: Columns, min_weight: float) -> NDArray[np.bool_]:
        return (block["key"] != NO_KEY) & (self._snapshot.weights(block) >= min_weight)

    def _by_class(self, columns: Columns) -> NDArray[np.float32]:
        """(n, T) scores of voxels without an embedding, through their likely classes."""
        if "class_slot" not in columns or self._header.vocabulary is None:
            return np.zeros((columns["key"].size, self._texts), np.float32)
        slots = columns["class_slot"]
        probability = posterior(slots, columns["evidence"], len(self._header.vocabulary))
        of_slots = self._class_scores[np.maximum(slots.astype(np.int64), 1) - 1]
        return np.einsum("nk,nkt->nt", probability, of_slots)
