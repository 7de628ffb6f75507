"""The map of a running node: queries, files and class names; every refusal is one clear sentence.

No ROS in here. Everything is thread-safe: frames come from one thread, queries and files from others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping import IntegrateReport, MapConfig, PointAnswer, QueryResult, Region, VoxelMap
from rgbd_perception.mapping.relations import things_in
from rgbd_perception.text import DEFAULT_TEXT_SPACE, TextEncoder, create_text_encoder
from rgbd_perception.text.prompts import embed_class_names
from rgbd_perception.vocabulary import Vocabulary


class MapKeeper:
    """Owns the map, which loading replaces, and the text encoder, which is loaded once.

    make_encoder  the text encoder of a text space; raises UserError where it cannot be had
    """

    def __init__(
        self,
        config: MapConfig,
        frame_id: str,
        make_encoder: Callable[[str], TextEncoder] = create_text_encoder,
    ) -> None:
        self._config = config
        self._frame_id = frame_id
        self._map = VoxelMap(config, frame_id=frame_id)
        self._vocabulary: Vocabulary | None = None
        self._class_embeddings: NDArray[np.float32] | None = None
        self._changing = threading.Lock()
        """Held while a frame is fused and while the map is replaced, never while a query runs."""
        self._make_encoder = make_encoder
        self._encoder: TextEncoder | None = None
        self._encoder_lock = threading.Lock()
        self._revision = 0
        self._on_disk: dict[Path, int] = {}
        """Revision of the map that is in each file which was saved or loaded here."""

    @property
    def map(self) -> VoxelMap:
        """The present map."""
        return self._map

    @property
    def vocabulary_id(self) -> str:
        """Of the class names in use; empty before there are any."""
        return self._vocabulary.id if self._vocabulary is not None else ""

    @property
    def text_space(self) -> str:
        """What texts are compared in: that of the map, of the class names, or the default."""
        own = self._vocabulary.text_space if self._vocabulary is not None else ""
        return self._map.text_space or own or DEFAULT_TEXT_SPACE

    @property
    def revision(self) -> int:
        """Grows with every change of the map; 0: nothing was ever put into it."""
        return self._revision

    def is_saved(self, path: Path) -> bool:
        """Whether the file ``path`` was left with the present map in it, by this node."""
        return self._on_disk.get(path, 0) == self._revision

    def label_colors(self) -> dict[str, list[int]]:
        """Class name -> rgb 0..255 of the present vocabulary."""
        if self._vocabulary is None:
            return {}
        return dict(zip(self._vocabulary.names, self._vocabulary.colors.tolist(), strict=True))

    def set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Say what the labels of the coming frames mean. Quick: needed before the first frame is fused."""
        with self._changing:
            self._vocabulary, self._class_embeddings = vocabulary, None
            self._count_change(self._map.set_vocabulary(vocabulary))

    def embed_vocabulary(self, vocabulary: Vocabulary, is_wanted: Callable[[], bool] = lambda: True) -> str:
        """Set the vocabulary with the text embeddings of its names, loading the text encoder if need be.

        Nothing is set where it is not wanted any more when the embeddings are there. Returns what became of
        the class evidence in the map: "unchanged", "recomputed" or "reset". Raises UserError where there is
        no encoder for the text space.
        """
        embeddings = embed_class_names(self._encoder_for(self.text_space), vocabulary.names)
        with self._changing:
            if not is_wanted():
                return "unchanged"
            self._vocabulary, self._class_embeddings = vocabulary, embeddings
            return self._count_change(self._map.set_vocabulary(vocabulary, embeddings))

    def encoder_is_loaded(self) -> bool:
        """Whether a query can be answered without loading the text encoder first."""
        return self._encoder is not None and self._encoder.text_space == self.text_space

    def integrate(self, frame: RgbdFrame, prediction: Prediction) -> IntegrateReport:
        """Fuse one frame that has its pose. Raises FrameDropped."""
        with self._changing:
            if prediction.vocabulary_id != self.vocabulary_id:
                raise FrameDropped("vocabulary_missing", "the class names changed while the frame waited")
            report = self._map.integrate(frame, prediction)
            self._revision += 1
        return report

    def query(
        self,
        texts: Sequence[str],
        negatives: Sequence[str],
        *,
        top_k: int,
        threshold: float | None,
        region: Region | None,
    ) -> list[QueryResult]:
        """Ranked answers to each of ``texts``. Raises UserError where the question cannot be asked."""
        if not texts:
            raise UserError("expected at least one text to look for, got none")
        if any(not text.strip() for text in [*texts, *negatives]):
            raise UserError("expected texts of at least one letter, got an empty one")
        present = self._map
        if len(present) == 0:
            raise UserError(
                "the map is empty: no frame has been put into it yet; see the drops in /diagnostics"
            )
        encoder = self._encoder_for(self.text_space)
        # Encoded here, where nothing is locked; the map then finds them in the encoder's cache.
        encoder.encode([*things_in(texts), *negatives])
        return present.query(
            texts, negatives, encoder=encoder, top_k=top_k, threshold=threshold, region=region
        )

    def at(
        self, position: tuple[float, float, float], radius: float | None, texts: Sequence[str]
    ) -> PointAnswer:
        """What is at a point of the map frame, and how well ``texts`` fit there. Raises UserError."""
        encoder = self._encoder_for(self.text_space) if texts else None
        return self._map.at(position, radius=radius, texts=texts, encoder=encoder)

    def save(self, path: Path) -> str:
        """Write the map; the old file stays whole until the new one is. Returns what was done.

        Raises UserError where the file cannot be written.
        """
        with self._changing:
            # Only for the moment in which the map is held: the writing comes after.
            revision, count, write = self._revision, len(self._map), self._map.begin_save(path)
        size = write()
        self._on_disk[path] = revision
        return f"saved {count} voxels ({size} bytes) to {path}"

    def load(self, path: Path) -> str:
        """Replace the map by that of a file. Returns what was done.

        Raises UserError, and keeps the map, for a file that is damaged or does not belong to this node.
        """
        loaded = VoxelMap.load(path, self._config)
        self._refuse_foreign(loaded, path)
        with self._changing:
            if self._vocabulary is not None:
                loaded.set_vocabulary(self._vocabulary, self._class_embeddings)
            self._map = loaded
            self._revision += 1
            self._on_disk[path] = self._revision
        return f"loaded {len(loaded)} voxels from {path}"

    def clear(self) -> str:
        """Forget everything that was mapped. Returns what was done."""
        with self._changing:
            count = len(self._map)
            self._map.clear()
            self._revision += 1
        return f"removed {count} voxels"

    def _count_change(self, outcome: str) -> str:
        """Of new class names, where they changed what is in the map; returns ``outcome``."""
        if outcome != "unchanged" and len(self._map):
            self._revision += 1
        return outcome

    def _refuse_foreign(self, loaded: VoxelMap, path: Path) -> None:
        if loaded.frame_id != self._frame_id:
            raise UserError(
                f"{path} is a map in frame '{loaded.frame_id}', this node maps in '{self._frame_id}': "
                f"start it with map_frame:={loaded.frame_id}"
            )
        space = self._vocabulary.text_space if self._vocabulary is not None else ""
        if space and loaded.text_space and loaded.text_space != space:
            raise UserError(
                f"{path} was made in the text space '{loaded.text_space}', the network works in '{space}': "
                "load a map of the same network, or start perception with the network of the map"
            )

    def _encoder_for(self, text_space: str) -> TextEncoder:
        with self._encoder_lock:
            if self._encoder is None or self._encoder.text_space != text_space:
                self._encoder = self._make_encoder(text_space)
            return self._encoder
