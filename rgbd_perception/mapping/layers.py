"""The stores that a map is made of, and what keeps them in step: geometry, class evidence, embeddings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.frame import Prediction
from rgbd_perception.mapping.block_contents import BlockContents
from rgbd_perception.mapping.budget import budget
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.eviction import Evictor
from rgbd_perception.mapping.evidence import EvidenceStore
from rgbd_perception.mapping.exact_features import ExactFeatures
from rgbd_perception.mapping.features import SharedFeatures
from rgbd_perception.mapping.fusion import VoxelGroups, fuse_geometry
from rgbd_perception.mapping.grid import GridSamples
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.pooling import Pooled
from rgbd_perception.mapping.quantities import PRECISIONS, convert
from rgbd_perception.mapping.scoring import calibration_for
from rgbd_perception.mapping.snapshot import Columns
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.mapping.threads import Threads
from rgbd_perception.vocabulary import Vocabulary

_BLOCKS_A_FRAME = 64
"""More than a moving camera leaves behind, so that few are left to be read when somebody asks."""


class Layers:
    """Rows of voxels, the evidence for their classes, their embeddings; the last two once they are known.

    Not thread-safe: the map holds its lock around every call.
    """

    def __init__(self, config: MapConfig, vocabulary: Vocabulary | None) -> None:
        self._config = config
        self._budget = budget(config)
        self._evictor = Evictor(config)
        self.store = VoxelStore(self._budget.voxels, PRECISIONS[config.storage], self._budget.blocks)
        self.features: ExactFeatures | SharedFeatures | None = None
        self.evidence: EvidenceStore | None = None
        self.evidence_was_reset = False
        self._contents: BlockContents | None = None
        self._contents_fit = True
        if vocabulary is not None:
            self._start_evidence(vocabulary)

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return sum(part.nbytes for part in (self.store, self.features, self._contents) if part is not None)

    def contents(self) -> BlockContents | None:
        """What the blocks hold, kept up from the first time that somebody asks; None for voxels without
        shared embeddings, and where it does not fit into the memory that is set aside for it."""
        if self._contents is None and isinstance(self.features, SharedFeatures) and self._contents_fit:
            self._contents = BlockContents(self.store, self._config.min_weight, self._budget.contents_bytes)
        elif self._contents is not None and not self._contents.fits:
            self._contents_fit = False
            self._forget_contents()
        return self._contents

    def _forget_contents(self) -> None:
        if self._contents is not None:
            self.store.unwatch(self._contents)
            self._contents = None

    def keep_up(self, threads: Threads) -> None:
        """After a frame: what the blocks hold where it came to rest, so that a question need not read it."""
        if self._contents is not None:
            self._contents.tick(_BLOCKS_A_FRAME, threads)

    def set_classes(self, vocabulary: Vocabulary, embeddings: NDArray[np.float32] | None) -> str:
        """Start the evidence anew for other classes: "recomputed" where embeddings (C, D) of their names and
        those of the voxels allow it, else "reset"."""
        self._start_evidence(vocabulary)
        features = self.features
        if features is None or embeddings is None or features.text_space != vocabulary.text_space:
            self.evidence_was_reset = len(self.store) > 0
            return "reset"
        self.evidence_was_reset = False
        assert self.evidence is not None
        scale = calibration_for(features.text_space).scale
        self.evidence.classify(self.store, features.reader(), embeddings, scale)
        return "recomputed"

    def start_features(self, dim: int, text_space: str) -> None:
        """Have a store for embeddings of ``dim`` numbers."""
        if self.features is None:
            self.features = self._make_features(dim, text_space)

    def pool(
        self,
        known: NDArray[np.int32],
        groups: VoxelGroups,
        embedding: NDArray[np.uint16] | None,
        threads: Threads,
    ) -> Pooled | None:
        """What a frame with the ``embedding`` (h * w, D), as bits of halves, adds to those of its voxels, of
        which the rows ``known`` (-1: new) are. The one call for which the map need not be locked, and most of
        the work: it changes nothing that is read."""
        if embedding is None or self.features is None:
            return None
        return self.features.pool(known, groups, embedding, threads)

    def enter(
        self, keys: NDArray[np.int64], known: NDArray[np.int32], pose: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], int, int]:
        """(n,) rows of the voxels ``keys`` (-1: the map is full), how many are new, and how many others were
        evicted for them. ``known`` (n,): the rows of those that were there before."""
        before = len(self.store)
        if self._config.evict:
            self._make_room(keys, pose)
        gone = before - len(self.store)
        rows, added = self.store.insert(keys, self.store.index.find(keys) if gone else known)
        self.store.record(rows)
        return rows, added, gone

    def _make_room(self, keys: NDArray[np.int64], pose: NDArray[np.float64]) -> None:
        """Evict voxels where these might not fit: their number, or the blocks that they lie in."""
        store = self.store
        missing = len(store) + keys.size - store.capacity
        if missing > 0:
            self.remove(self._evictor.choose(store, missing, pose))
        if store.blocks.has_room_for(keys) is not None:
            self.remove(store.index.find(store.blocks.sparsest(keys)))

    def fuse(
        self,
        rows: NDArray[np.int32],
        groups: VoxelGroups,
        samples: GridSamples,
        stamp_ns: int,
        prediction: Prediction,
        pooled: Pooled | None,
        threads: Threads,
    ) -> None:
        """Take what one frame says of the voxels in ``rows``; ``pooled`` of their embeddings.

        Evidence has nothing to do with the rest and is counted beside it.
        """
        limit = self._config.weight_limit
        with self._contents_follow(rows, stamp_ns), threads.beside() as begin:
            fused = begin(self._evidence_of(rows, groups, stamp_ns, prediction))
            if pooled is not None and self.features is not None:  # goes by the weight of before geometry
                self.features.blend(rows, pooled, limit)
            fuse_geometry(self.store, rows, groups, samples, stamp_ns, limit, self._config.carve_misses)
            fused()

    def _contents_follow(self, rows: NDArray[np.int32], stamp_ns: int) -> AbstractContextManager[None]:
        """While the voxels in ``rows`` change."""
        if self._contents is None:
            return nullcontext()
        return self._contents.frame(rows, self.store.time_of(stamp_ns))

    def _evidence_of(
        self, rows: NDArray[np.int32], groups: VoxelGroups, stamp_ns: int, prediction: Prediction
    ) -> Callable[[], None]:
        """What adds the labels of a frame to the evidence of the voxels in ``rows``."""
        evidence, time = self.evidence, self.store.time_of(stamp_ns)
        labels, confidence = prediction.cell_labels.ravel(), prediction.cell_confidence.ravel()

        def fuse() -> None:
            if evidence is not None:
                evidence.fuse(rows, groups, labels, confidence, self._config.evidence_limit, time)

        return fuse

    def remove(self, rows: NDArray[np.int32]) -> None:
        """Free these rows in all stores."""
        self.store.record(rows)
        if self.features is not None:
            self.features.forget(rows)
        self.store.remove(rows)

    def fill(self, header: MapHeader, columns: Columns) -> None:
        """Take over the voxels of a file; nothing else was put in before."""
        if header.feature_dim:
            self.features = self._make_features(header.feature_dim, header.text_space)
        rows, _ = self.store.insert(columns["key"])
        if len(self.store) != rows.size:
            raise UserError("the map file names a voxel twice or one that cannot be; use another copy")
        source, target = PRECISIONS[header.storage], self.store.precision
        for name in ("last_seen", "occupancy", "class_slot"):
            if name in columns:
                self.store.columns[name][: rows.size] = columns[name]
        for name in ("weight", "color", "evidence"):
            if name in columns:
                stored = convert(columns[name], getattr(source, name), getattr(target, name))
                self.store.columns[name][: rows.size] = stored
        self.store.epoch_ns = header.epoch_ns
        self.store.latest = int(columns["last_seen"].max(initial=0))
        if self.features is not None:
            self.features.load(rows, columns)

    def _start_evidence(self, vocabulary: Vocabulary) -> None:
        self._forget_contents()
        self.evidence = EvidenceStore(self.store, len(vocabulary), self._config.evidence_slots)

    def _make_features(self, dim: int, text_space: str) -> ExactFeatures | SharedFeatures:
        if self._config.storage == "exact":
            return ExactFeatures(self.store, dim, text_space)
        return SharedFeatures(
            self.store,
            dim,
            text_space,
            dims=self._config.feature_dims,
            tolerance=self._config.feature_tolerance,
            rows=self._budget.feature_rows,
            slots=self._config.hot_voxels,
        )
