"""Embeddings of segments and views on disk, in the format of nicr-scene-analysis-datasets (DVEFormer's data).

    <root>/<split>/panoptic_<N>_embedding_<E>/<view>.npz   one (1, D) array for each segment, named by its id
    <root>/<split>/image_embedding_<E>/<view>.npz          arr_0 (1, D)

E is the name of the estimator, N the number of classes, or None for a data set with one class list. What the
authors' tool wrote can be read, what is written here can be read by it. A file is there whole or not at all.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import write_whole
from rgbd_perception.training.datasets.views import DataSetInfo
from rgbd_perception.training.teacher.base import Lesson

SEVERAL_LISTS = frozenset({"nyuv2", "scannet"})
"""Data sets that come with class lists of several lengths."""

IMAGE_KEY = "arr_0"


def spectrum(info: DataSetInfo) -> str:
    """N in the names of folders."""
    return str(len(info.classes)) if info.name in SEVERAL_LISTS else "None"


@dataclass(frozen=True)
class EmbeddingStore:
    """The embeddings of one estimator for one class list below ``root``."""

    root: Path
    estimator: str
    classes: str

    def segments_file(self, split: str, view: str) -> Path:
        """Where the embeddings of the segments are. Raises UserError for a name with ``..``."""
        return self._file(split, f"panoptic_{self.classes}_embedding_{self.estimator}", view)

    def image_file(self, split: str, view: str) -> Path:
        """Where the embedding of the whole view is. Raises UserError likewise."""
        return self._file(split, f"image_embedding_{self.estimator}", view)

    def has(self, split: str, view: str) -> bool:
        """Whether the view is finished: its segments are written last."""
        return self.segments_file(split, view).is_file()

    def write(self, split: str, view: str, lesson: Lesson) -> None:
        """Store what a teacher said. Raises UserError where the disk refuses."""
        if lesson.image is not None:
            image = {IMAGE_KEY: lesson.image[None]}
            write_whole(self.image_file(split, view), _packed(image), "embedding")
        rows = {str(int(name)): row[None] for name, row in zip(lesson.ids, lesson.rows, strict=True)}
        write_whole(self.segments_file(split, view), _packed(rows), "embeddings")

    def read(self, split: str, view: str) -> Lesson:
        """What is stored, in the order of the file. Raises UserError for what is missing or damaged."""
        path = self.segments_file(split, view)
        arrays = _unpacked(path)
        image_path = self.image_file(split, view)
        image = _unpacked(image_path) if image_path.is_file() else None
        try:
            ids = np.array([int(name) for name in arrays], np.int64)
            rows = [np.asarray(row, np.float32).reshape(-1) for row in arrays.values()]
            whole = None if image is None else np.asarray(image[IMAGE_KEY], np.float32).reshape(-1)
            dim = 0 if whole is None else len(whole)
            table = np.stack(rows) if rows else np.zeros((0, dim), np.float32)
        except (ValueError, KeyError) as error:
            raise UserError(
                f"expected embeddings of one length by numbers of segments in {path}: {error}"
            ) from error
        if whole is not None and table.shape[1] != dim:
            raise UserError(f"{path} has embeddings of {table.shape[1]} numbers, {image_path} one of {dim}")
        return Lesson(ids, table, whole)

    def _file(self, split: str, folder: str, view: str) -> Path:
        inner = PurePosixPath(view)
        if inner.is_absolute() or ".." in inner.parts:
            raise UserError(f"expected a view's name without .., got {view!r}")
        return self.root / split / folder / f"{view}.npz"


def _packed(arrays: dict[str, NDArray[np.float32]]) -> bytes:
    """An .npz file; the same arrays give the same bytes (numpy writes no time into it)."""
    buffer = io.BytesIO()
    members: Any = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    np.savez(buffer, **members)
    return buffer.getvalue()


def _unpacked(path: Path) -> dict[str, NDArray]:
    try:
        with np.load(path) as file:
            return dict(file)
    except FileNotFoundError as error:
        raise UserError(f"expected embeddings in {path}: let `rgbd-perception teach` make them") from error
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path} is no whole file of embeddings ({error}): delete it and teach again"
        ) from error
