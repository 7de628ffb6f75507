"""How well the voxels of a map answer texts: looked up for those with embeddings, else worked out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.block_contents import PLAIN, Blocks
from rgbd_perception.mapping.block_ranking import Scored
from rgbd_perception.mapping.evidence import posterior
from rgbd_perception.mapping.feature_readers import ReachingScorer
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.scoring import QueryVectors, ScoreCalibration, score_vectors
from rgbd_perception.mapping.snapshot import Columns
from rgbd_perception.mapping.view import MapView

_ROWS = 1 << 17
"""Rows that are looked at while the map waits: well below a millisecond."""


class Place(Protocol):
    """A part of space: a box or a ball."""

    def contains(self, points: NDArray[np.floating]) -> NDArray[np.bool_]: ...


class VoxelScores:
    """Scores of the voxels of a snapshot for the texts of a query."""

    def __init__(
        self,
        view: MapView,
        query: QueryVectors,
        calibration: ScoreCalibration,
        least: float = 0.0,
    ) -> None:
        """Scores below ``least`` are nobody's concern and may be given as 0."""
        self._least = least
        self._view, self._snapshot = view, view.snapshot
        self._texts = query.texts.shape[0]
        self._query, self._calibration = query, calibration
        features = view.snapshot.features
        self._scorer = features.scorer(query, calibration, least, view.run) if features else None
        has_evidence = view.snapshot.column("class_slot") is not None
        self._evidence = ("key", "class_slot", "evidence") if has_evidence else ("key",)

    def write(self, columns: Columns, scores: NDArray[np.float32]) -> None:
        """Write the ``scores`` (n, T) of voxels with these columns."""
        plain = self._by_embedding(columns, scores)
        if plain.size:
            scores[plain] = self._by_class({name: columns[name][plain] for name in self._evidence})

    def of_rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (n, T) of the voxels in these rows."""
        names = self._scorer.columns if self._scorer else ()
        columns = self._snapshot.gather(rows, names)
        scores = np.empty((rows.size, self._texts), np.float32)
        plain = self._by_embedding(columns, scores)
        if plain.size:
            scores[plain] = self._by_class(self._snapshot.gather(rows[plain], self._evidence))
        return scores

    def of_at_least(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and keys of the voxels observed often enough that score at least ``least`` for some text."""
        unit, least = self._snapshot.weight_unit, self._view.config.min_weight

        def read(block: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            chosen = self._reaching(block)
            numbers, keys = np.empty(chosen.size, np.int64), np.empty(chosen.size, np.int64)
            found = _list_observed(block["key"], block["weight"], unit, least, chosen, numbers, keys)
            return numbers[:found].copy(), keys[:found].copy()

        rows, keys = self._snapshot.pick(read, _ROWS)
        return rows, keys

    def of_blocks(self, blocks: Blocks) -> Scored | None:
        """Of the embeddings in their lists; None where every voxel has to be looked at."""
        if not isinstance(self._scorer, ReachingScorer):
            return None
        embeddings, plain = blocks.lists.embeddings, blocks.plain
        if plain.size == 0:
            return Scored(self._scorer.places_of(embeddings), self._scorer.table)
        rows = (embeddings[plain] - PLAIN).astype(np.int64)
        without = embeddings.copy()
        without[plain] = 0
        places, table = self._scorer.places_of(without), self._scorer.table
        places[plain] = np.arange(table.shape[0], table.shape[0] + plain.size)
        return Scored(
            places, np.concatenate([table, self._by_class(self._snapshot.gather(rows, self._evidence))])
        )

    def best(self, place: Place | None) -> NDArray[np.float32]:
        """(T,) best scores of the voxels in ``place`` that were observed often enough; -1 without any.

        For the whole of a map with shared embeddings those of all embeddings, which is quicker.
        """
        if place is None and self._scorer is not None and self._scorer.best is not None:
            return self._scorer.best

        def read(block: Columns) -> tuple[NDArray[np.float32]]:
            scores = np.empty((block["key"].size, self._texts), np.float32)
            self.write(block, scores)
            chosen = np.ones(scores.shape[0], np.bool_)
            if place is not None:
                chosen = place.contains(self._view.centers(block["key"]))
            chosen &= self._snapshot.weights(block) >= self._view.config.min_weight
            chosen &= block["key"] != NO_KEY
            scores[~chosen] = -1.0
            return (scores,)

        best = np.full(self._texts, -1.0, np.float32)
        for _, (scores,) in self._snapshot.blocks(read):
            best = np.maximum(best, scores.max(axis=0))
        return best

    def all(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Keys (n,) of all voxels and their scores (n, T), well observed or not."""
        rows = self._snapshot.rows
        keys, scores = np.empty(rows, np.int64), np.empty((rows, self._texts), np.float32)

        def write(block: Columns, parts: Sequence[NDArray[Any]]) -> None:
            parts[0][:] = block["key"]
            self.write(block, parts[1])

        self._snapshot.fill(write, (keys, scores), _ROWS)
        live = keys != NO_KEY
        return (keys, scores) if live.all() else (keys[live], scores[live])

    def _by_embedding(self, columns: Columns, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Write the scores (n, T); return which voxels have no embedding to be scored by."""
        if self._scorer is None:
            return np.arange(scores.shape[0])
        return np.flatnonzero(~self._scorer.write(columns, scores))

    def _reaching(self, block: Columns) -> NDArray[np.bool_]:
        """(n,) whether the best score over the texts is at least ``least``."""
        if self._scorer is None:
            return self._by_class(block).max(axis=1) >= self._least
        reaching, known = self._scorer.reaching(block)
        if not known.all():
            plain = np.flatnonzero(~known)
            part = {name: block[name][plain] for name in self._evidence}
            reaching[plain] = self._by_class(part).max(axis=1) >= self._least
        return reaching

    @cached_property
    def _class_scores(self) -> NDArray[np.float32]:
        """(C, T) of the class names themselves."""
        return score_vectors(self._query.classes, self._query, self._calibration)

    def _by_class(self, columns: Columns) -> NDArray[np.float32]:
        """(n, T) scores of voxels without an embedding, through their likely classes."""
        if "class_slot" not in columns or self._view.header.vocabulary is None:
            return np.zeros((columns["key"].size, self._texts), np.float32)
        slots = columns["class_slot"]
        probability = posterior(slots, columns["evidence"], len(self._view.header.vocabulary))
        of_slots = self._class_scores[np.maximum(slots.astype(np.int64), 1) - 1]
        return np.einsum("nk,nkt->nt", probability, of_slots)


@kernel
def _list_observed(
    keys: NDArray[np.int64],
    weights: NDArray[np.number],
    unit: float,
    min_weight: float,
    chosen: NDArray[np.bool_],
    numbers: NDArray[np.int64],
    found_keys: NDArray[np.int64],
) -> int:
    """Write numbers and keys of the ``chosen`` that are voxels, and observed with at least ``min_weight``;
    return how many."""
    found = 0
    for i in range(chosen.size):
        if chosen[i] and weights[i] * unit >= min_weight and keys[i] != NO_KEY:
            numbers[found], found_keys[found] = i, keys[i]
            found += 1
    return found
