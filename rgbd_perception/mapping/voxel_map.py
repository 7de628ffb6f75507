"""The map: frames and predictions in, ranked answers, objects and files out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping.block_contents import keep_only_plain
from rgbd_perception.mapping.budget import budget
from rgbd_perception.mapping.carving import CameraView, SeenThrough, camera_view, carve, find_seen_through
from rgbd_perception.mapping.checks import check_prediction, checked_class_embeddings, half_embedding
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.embedding_query import answer_embeddings
from rgbd_perception.mapping.evidence import labels_of
from rgbd_perception.mapping.export.occupancy import OccupancyGrid, occupancy_grid
from rgbd_perception.mapping.forgetting import forgotten
from rgbd_perception.mapping.fusion import group_by_voxel
from rgbd_perception.mapping.grid import GridSamples, sample_grid
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.layers import Layers
from rgbd_perception.mapping.objects import MapObject, find_objects
from rgbd_perception.mapping.point_query import PointAnswer, answer_point
from rgbd_perception.mapping.pose_gate import PoseGate
from rgbd_perception.mapping.query import QueryResult, Region, Search, TextEncoderLike
from rgbd_perception.mapping.query_inputs import check_text_space, checked_texts, encoded
from rgbd_perception.mapping.related import answer_questions
from rgbd_perception.mapping.report import IntegrateReport, StepClock, VoxelArrays
from rgbd_perception.mapping.scoring import ScoreCalibration, calibration_for
from rgbd_perception.mapping.snapshot import Columns, Snapshot
from rgbd_perception.mapping.storage import read_map, write_map
from rgbd_perception.mapping.threads import Beside, Threads
from rgbd_perception.mapping.tracker import ObjectTracker
from rgbd_perception.mapping.turns import Turns
from rgbd_perception.mapping.view import MapView
from rgbd_perception.mapping.voxel_scores import VoxelScores
from rgbd_perception.vocabulary import Vocabulary


class VoxelMap:
    """A sparse voxel map with class evidence and text-aligned embeddings. Safe to use from several threads.

    One thread at a time changes the map (a lock of the writers); readers work on snapshots and hold the lock
    of the data for about a millisecond at a time.
    """

    def __init__(
        self,
        config: MapConfig | None = None,
        frame_id: str = "map",
        map_from_source: NDArray[np.float64] | None = None,
    ) -> None:
        self.config = config or MapConfig()
        self.frame_id = frame_id
        self.map_from_source = np.eye(4) if map_from_source is None else np.array(map_from_source, np.float64)
        self.vocabulary: Vocabulary | None = None
        self.class_embeddings: NDArray[np.float32] | None = None
        self.model_id = ""
        self._writer = threading.RLock()
        self._lock = threading.Lock()
        self._turns = Turns()
        self._threads = Threads(self.config.threads)
        self._tracker = ObjectTracker()
        self._tracking = threading.Lock()
        self._start_empty()

    def __len__(self) -> int:
        return len(self._layers.store)

    @property
    def text_space(self) -> str:
        """Text space of the embeddings in the map, else of its vocabulary; empty where there is neither."""
        if self._layers.features is not None:
            return self._layers.features.text_space
        return self.vocabulary.text_space if self.vocabulary else ""

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use: voxels, hash, free list, embeddings, and what objects are known by."""
        return self._layers.nbytes + self._tracker.nbytes

    def set_vocabulary(
        self, vocabulary: Vocabulary, class_embeddings: NDArray[np.float32] | None = None
    ) -> str:
        """Give the labels of predictions a meaning. ``class_embeddings`` (C, D): unit text embeddings of the
        names.

        Returns what became of the class evidence in the map: "unchanged", "recomputed" (from the embeddings
        of the voxels) or "reset". Evidence that was reset for want of embeddings is recomputed when the same
        vocabulary comes with them. Raises UserError where the embeddings do not fit the names.
        """
        embeddings = checked_class_embeddings(vocabulary, class_embeddings)
        with self._writer, self._lock:
            same = self.vocabulary is not None and self.vocabulary.id == vocabulary.id
            if same and (embeddings is None or not self._layers.evidence_was_reset):
                self.class_embeddings = self.class_embeddings if embeddings is None else embeddings
                return "unchanged"
            self.vocabulary, self.class_embeddings = vocabulary, embeddings
            return self._layers.set_classes(vocabulary, embeddings)

    def integrate(self, frame: RgbdFrame, prediction: Prediction) -> IntegrateReport:
        """Put one frame into the map. All is checked before anything is changed.

        Raises FrameDropped: pose_missing, pose_out_of_range, pose_jump, depth_empty, prediction_mismatch,
        prediction_not_finite, vocabulary_mismatch, text_space_mismatch.
        """
        clock = StepClock()
        with self._writer, self._threads.at_work(), self._threads.beside() as begin:
            pose = self._gate.check(frame)
            check_prediction(frame, prediction, self.vocabulary, self._layers.features)
            converted = begin(lambda: half_embedding(prediction))
            samples = sample_grid(frame, prediction.stride, self._threads)
            prepared = begin(lambda: camera_view(samples, pose, self.config))
            clock.lap("grid")

            groups = group_by_voxel(samples, pose, prediction.cell_confidence, self.config)
            embedding = converted()
            if groups.keys.size == 0:
                raise FrameDropped("depth_empty", "no measurement between min_depth and max_depth")
            clock.lap("group")

            # Nobody else changes the map: most of the work may be done while questions are asked.
            layers = self._layers
            if embedding is not None:
                with self._lock:
                    layers.start_features(embedding.shape[1], prediction.text_space)
            known = layers.store.index.find(groups.keys, self._threads)
            pooled = layers.pool(known, groups, embedding, self._threads)
            view = prepared()
            clock.lap("pool")

            with self._lock:
                rows, added, evicted = layers.enter(groups.keys, known, pose)
                seen = self._look_through(samples, view, begin)
                layers.fuse(rows, groups, samples, frame.stamp_ns, prediction, pooled, self._threads)
            clock.lap("fuse")

            removed = self._carve(seen()) if seen else 0
            removed += self._forget(frame.stamp_ns) if self.config.forget_after_s > 0 else 0
            clock.lap("carve")
            self._turns.in_between(self._keep_up)
            self._gate.accept(frame)
            self._frames += 1
            self.model_id = prediction.model_id or self.model_id
        return IntegrateReport(
            cells=int(groups.members.size),
            voxels_touched=int(rows.size),
            voxels_added=added,
            voxels_removed=removed,
            voxels_refused=int(np.count_nonzero(rows < 0)),
            voxels_evicted=evicted,
            step_ms=clock.step_ms,
        )

    def query(
        self,
        texts: Sequence[str],
        negatives: Sequence[str] = (),
        *,
        encoder: TextEncoderLike,
        top_k: int = 5,
        threshold: float | None = None,
        region: Region | None = None,
        calibration: ScoreCalibration | None = None,
    ) -> list[QueryResult]:
        """Ranked answers to each text, best first; see docs/queries.md.

        A text may say where the thing is, "the cup on the table" (grammar: relations.py); one in double
        quotes is never taken apart. ``threshold``: least score of an answer (None: that of the calibration of
        the text space). Raises UserError for an empty query, a relation that is half understood, or an
        encoder of another text space than the map's.
        """
        search = Search(top_k, threshold, region, calibration)
        with self._question(search, encoder.text_space) as view:
            return answer_questions(view, texts, negatives, encoder, search)

    def scores(
        self, texts: Sequence[str], *, encoder: TextEncoderLike, calibration: ScoreCalibration | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """How well every voxel answers every text: packed keys (n,) as of ``keys.centers``, scores (n, T) in
        0..1.

        Raises UserError as ``query`` does.
        """
        with self._view() as view:
            check_text_space(view.header, encoder.text_space, "the text encoder is")
            rule = calibration or calibration_for(encoder.text_space)
            query = encoded(view.header, checked_texts(texts), [], encoder, rule)
            return VoxelScores(view, query, rule).all()

    def query_embeddings(
        self,
        vectors: NDArray[np.floating],
        negatives: NDArray[np.floating] | None = None,
        *,
        text_space: str = "",
        top_k: int = 5,
        threshold: float | None = None,
        region: Region | None = None,
        calibration: ScoreCalibration | None = None,
    ) -> list[QueryResult]:
        """Ranked answers to each row of ``vectors`` (T, D) in the map's text space, as ``query`` gives them.

        Lengths do not matter. The results are called "embedding 1" and so on. ``negatives`` (N, D): what is
        not meant. ``text_space``: of the vectors, compared with the map's where it is given. Raises UserError
        for vectors that do not fit the map, are not finite or are zero.
        """
        search = Search(top_k, threshold, region, calibration)
        with self._question(search) as view:
            return answer_embeddings(view, vectors, negatives, text_space, search)

    def at(
        self,
        position: Sequence[float],
        *,
        radius: float | None = None,
        texts: Sequence[str] = (),
        encoder: TextEncoderLike | None = None,
        calibration: ScoreCalibration | None = None,
    ) -> PointAnswer:
        """What is at ``position`` (x, y, z in metres, map frame), from voxels within ``radius`` (None: two
        voxels).

        ``texts`` are scored there too, with ``encoder``. Raises UserError for a position that is none, and
        for texts without an encoder or with one of another text space.
        """
        with self._view() as view:
            return answer_point(view, position, radius, texts, encoder, calibration)

    def objects(self) -> list[MapObject]:
        """Instances in the map, without the stuff classes of the configuration; largest first within a class.

        Their ids stay the same from call to call while the map changes, and in files; see ObjectTracker.
        """
        with self._tracking, self._view() as view:
            return find_objects(view, self._tracker)

    def object(self, object_id: int) -> MapObject | None:
        """The object with this id, or the one that it was merged into; None where there is none any more."""
        found = self.objects()
        same = (item for item in found if item.id == object_id)
        return next(same, next((item for item in found if object_id in item.merged), None))

    def voxels(self, min_weight: float = 0.0) -> VoxelArrays:
        """Copies of what there is to draw, for voxels observed with at least ``min_weight``."""
        with self._view() as view:
            has_evidence = view.snapshot.column("class_slot") is not None
            names = ("key", "color", "weight", "last_seen", *(("class_slot",) if has_evidence else ()))
            columns = view.snapshot.read_all(names)
        weights = view.snapshot.weights(columns)
        chosen = weights >= min_weight
        slots = columns["class_slot"][chosen] if has_evidence else np.zeros((int(chosen.sum()), 1), np.uint16)
        return VoxelArrays(
            centers=view.centers(columns["key"][chosen]),
            colors=np.clip(np.rint(columns["color"][chosen]), 0, 255).astype(np.uint8),
            labels=labels_of(slots),
            weights=weights[chosen],
            last_seen=view.header.stamps_ns(columns["last_seen"][chosen]),
        )

    def occupancy(self) -> OccupancyGrid:
        """Free, occupied and unknown places for a robot on the floor; see export.occupancy for the rule.

        Raises UserError where no floor or obstacle was well observed.
        """
        names = self.vocabulary.names if self.vocabulary else ()
        return occupancy_grid(self.voxels(self.config.min_weight), names, self.config)

    def save(self, path: str | Path) -> int:
        """Write the map to ``path`` in one step (an existing file stays whole until then); bytes written."""
        return self.begin_save(path)()

    def begin_save(self, path: str | Path) -> Callable[[], int]:
        """Hold on to the map of this instant; returns what writes it, to be called once, from any thread.

        Takes a moment only. Until it is called and done, every change keeps a copy of what it changes.
        """
        with self._tracking:
            tracked = self._tracker.state()
        with self._lock:
            snapshot, header = self._snapshot(), replace(self._header(), tracked=tracked)

        def write() -> int:
            try:
                return write_map(Path(path), snapshot, header)
            finally:
                snapshot.close()

        return write

    @classmethod
    def load(cls, path: str | Path, config: MapConfig | None = None) -> VoxelMap:
        """Read a map file. Voxel size and evidence slots of the file replace those of ``config``.

        Raises UserError where the file is missing, cut, damaged or of another version.
        """
        header, columns = read_map(Path(path))
        config = config or MapConfig()
        voxels = columns["key"].size
        config = replace(
            config,
            voxel_size=header.voxel_size,
            evidence_slots=header.evidence_slots,
            max_voxels=max(config.max_voxels, voxels),
        )
        if budget(config).voxels < voxels:
            raise UserError(
                f"{path} has {voxels} voxels, max_map_bytes {config.max_map_bytes} holds "
                f"{budget(config).voxels}: raise it"
            )
        loaded = cls(config, header.frame_id, header.map_from_source)
        loaded._fill(header, columns)
        return loaded

    def clear(self) -> None:
        """Forget all voxels; vocabulary, frame and configuration stay."""
        with self._tracking, self._writer, self._lock:
            self._start_empty()
            self._tracker.forget()

    def close(self) -> None:
        """End the map's threads."""
        self._threads.close()

    def _start_empty(self) -> None:
        self._layers = Layers(self.config, self.vocabulary)
        self._gate = PoseGate(self.config)
        self._frames = 0
        self.notes: dict[str, Any] = {}
        """A JSON object of whoever makes the map, kept in its file."""

    def _look_through(
        self, samples: GridSamples, view: CameraView, begin: Beside
    ) -> Callable[[], SeenThrough] | None:
        """Begin to look for what is seen through, while the frame is blended into the voxels."""
        if not self.config.carve:
            return None
        store, frame, config = self._layers.store, self._frames, self.config
        return begin(lambda: find_seen_through(store, samples, view, frame, config))

    def _carve(self, seen: SeenThrough) -> int:
        with self._lock:
            gone = carve(self._layers.store, seen, self.config)
            self._layers.remove(gone)
        return int(gone.size)

    def _keep_up(self) -> None:
        with self._lock:
            self._layers.keep_up(self._threads)

    def _forget(self, stamp_ns: int) -> int:
        with self._lock:
            gone = forgotten(self._layers.store, stamp_ns, self._frames, self.config.forget_after_s)
            self._layers.remove(gone)
        return int(gone.size)

    def _fill(self, header: MapHeader, columns: Columns) -> None:
        """Take over the contents of a file into this empty map."""
        self.model_id, self.notes, self._frames = header.model_id, dict(header.notes), header.frames
        if header.vocabulary is not None:
            self.set_vocabulary(header.vocabulary, header.class_embeddings)
        self._layers.fill(header, columns)
        if header.tracked is not None:
            self._tracker.restore(header.tracked)

    @contextmanager
    def _view(self) -> Iterator[MapView]:
        """The map of this instant, to be read while it changes."""
        with self._lock:
            snapshot, header = self._snapshot(), self._header()
        try:
            with self._threads.at_work():
                yield MapView(snapshot, header, self.config, self._threads)
        finally:
            snapshot.close()

    @contextmanager
    def _question(self, search: Search, text_space: str | None = None) -> Iterator[MapView]:
        """The map of this instant and what its blocks hold, for a question in a text space (None: the
        map's)."""
        look = partial(self._caught_up, search, text_space)
        with self._turns.question(look) as view, self._threads.at_work():
            yield view

    def _caught_up(self, search: Search, text_space: str | None, most: int) -> MapView | None:
        """None where more than ``most`` blocks had to be read."""
        with self._lock:
            contents = self._layers.contents()
            if contents is not None and not contents.refresh(most, self._threads):
                return None
            blocks, snapshot, header = (
                contents.blocks() if contents else None,
                self._snapshot(),
                self._header(),
            )
            if blocks is not None and search.is_of_blocks(text_space or header.text_space):
                keep_only_plain(snapshot, blocks)
            return MapView(snapshot, header, self.config, self._threads, blocks)

    def _snapshot(self) -> Snapshot:
        """Under the lock."""
        features = self._layers.features
        return Snapshot(self._layers.store, self._lock, features.reader() if features else None)

    def _header(self) -> MapHeader:
        return MapHeader(
            voxel_size=self.config.voxel_size,
            frame_id=self.frame_id,
            map_from_source=self.map_from_source,
            model_id=self.model_id,
            text_space=self.text_space,
            feature_dim=self._layers.features.dim if self._layers.features else 0,
            evidence_slots=self.config.evidence_slots,
            vocabulary=self.vocabulary,
            class_embeddings=self.class_embeddings,
            storage=self.config.storage,
            epoch_ns=self._layers.store.epoch_ns,
            frames=self._frames,
            notes=dict(self.notes),
        )
