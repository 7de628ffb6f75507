"""The teacher without an image model: a segment is what its class is called."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES
from rgbd_perception.text.encoder import TextEncoder
from rgbd_perception.text.prompts import embed_class_names
from rgbd_perception.training.class_targets import encode_classes
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.teacher.base import Lesson, TeacherSpec
from rgbd_perception.training.teacher.segments import classes_of, ids_in


class TextTeacher:
    """Gives each segment the embedding of its class, rows (C, D) (a Teacher)."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self._rows = np.asarray(rows, np.float32)

    def teach(self, view: LabelledView, segments: NDArray[np.int32]) -> Lesson:
        """The row of every segment's class; no embedding of the view, so nothing is taken away from them."""
        ids = ids_in(segments)
        return Lesson(ids, self._rows[classes_of(ids)])


def text_spec(encoder: TextEncoder, classes: Sequence[str]) -> TeacherSpec:
    """The teacher of ``classes`` in the encoder's text space."""
    rows = class_text_rows(encoder, classes)
    facts = {"text_space": encoder.text_space, "classes": list(classes)}
    return TeacherSpec(estimator_name(encoder.text_space), facts, partial(TextTeacher, rows))


def class_text_rows(encoder: TextEncoder, classes: Sequence[str]) -> NDArray[np.float32]:
    """Unit rows (C, D); for the classes of our generator, as ``rgbd_mini``, the means of all their texts."""
    if tuple(classes) == tuple(CLASS_NAMES):
        return encode_classes(encoder)
    return embed_class_names(encoder, classes)


def estimator_name(text_space: str) -> str:
    """Name of the teacher of a text space, as a folder's name may have it."""
    return "text__" + "".join(char if char.isalnum() or char in "._@-" else "-" for char in text_space)
