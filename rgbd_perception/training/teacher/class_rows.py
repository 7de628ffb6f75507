"""Embeddings of classes from a teacher: texts of their names, and the means of their segments."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.embedding_classes import DIFF_FACTOR, VisualMeans
from rgbd_perception.inference.weights import write_whole
from rgbd_perception.training.teacher.segments import classes_of
from rgbd_perception.training.teacher.storage import EmbeddingStore


@dataclass(frozen=True)
class ClassRows:
    """Unit rows (C, D) by class: ``text`` of the names, ``means`` of what was seen."""

    names: tuple[str, ...]
    text: NDArray[np.float32]
    means: NDArray[np.float32]


def visual_means(
    store: EmbeddingStore,
    split: str,
    views: Iterable[str],
    text: NDArray[np.float32],
    diff_factor: float = DIFF_FACTOR,
) -> NDArray[np.float32]:
    """Unit rows (C, D) float32 of a training split's ``views`` (their names), from the stored embeddings.

    Sum of the unit embeddings of a class's segments minus ``diff_factor`` times that of the views they are in
    (nothing where a teacher does not look at views); a class without a segment has that of its text (C, D).
    Raises UserError where embeddings are missing or of another length or another class list.
    """
    means = VisualMeans(*text.shape)
    for view in views:
        lesson = store.read(split, view)
        classes = classes_of(lesson.ids)
        if not len(classes):
            continue
        if lesson.rows.shape[1] != text.shape[1] or not 0 <= classes.min() <= classes.max() < len(text):
            raise UserError(
                f"expected embeddings of {text.shape[1]} numbers for classes below {len(text)} in "
                f"{store.segments_file(split, view)}, got {lesson.rows.shape[1]} and {int(classes.max())}"
            )
        image = np.zeros(text.shape[1], np.float32) if lesson.image is None else lesson.image
        means.add(torch.from_numpy(classes), torch.from_numpy(lesson.rows), torch.from_numpy(image))
    return means.rows(torch.from_numpy(text), diff_factor).numpy()


def rows_file(store: EmbeddingStore) -> Path:
    """Where the rows of a store are kept: a file of our own beside those of the authors' tool."""
    return store.root / "auxiliary_meta" / f"class_rows_{store.classes}_{store.estimator}.npz"


def save_class_rows(path: Path, rows: ClassRows) -> None:
    """Write them whole or not at all. Raises UserError where the disk refuses."""
    buffer = io.BytesIO()
    np.savez(buffer, names=np.array(rows.names), text=rows.text, means=rows.means)
    write_whole(path, buffer.getvalue(), "embeddings of the classes")


def read_class_rows(path: Path) -> ClassRows:
    """What ``save_class_rows`` wrote. Raises UserError for any other file."""
    try:
        with np.load(path) as file:
            names = tuple(str(name) for name in file["names"])
            rows = ClassRows(names, file["text"], file["means"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"expected the embeddings of classes that `rgbd-perception teach` writes in {path}: {error}"
        ) from error
    if rows.text.shape != rows.means.shape or len(rows.text) != len(names):
        raise UserError(f"{path} has {len(names)} classes, rows {rows.text.shape} and {rows.means.shape}")
    return rows
