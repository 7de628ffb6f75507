"""A tiny data set in the layout of an own folder, and teachers that need no model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbd_perception.training.datasets.opening import open_views
from rgbd_perception.training.datasets.options import ALL, ViewOptions
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.teacher.base import Lesson, TeacherSpec
from rgbd_perception.training.teacher.course import Course
from rgbd_perception.training.teacher.segments import ids_in

CLASSES = ("wall", "chair", "lamp")


def write_views(root: Path, count: int = 5) -> Path:
    """``count`` views of 12 x 16 with three classes, without instances."""
    rng = np.random.default_rng(0)
    for folder in ("color", "label", "depth"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    for index in range(count):
        name = f"view{index}.png"
        cv2.imwrite(str(root / "color" / name), rng.integers(0, 256, (12, 16, 3), np.uint8))
        cv2.imwrite(
            str(root / "label" / name), np.repeat(rng.integers(0, 3, (3, 4), np.uint8), 4, 0).repeat(4, 1)
        )
        cv2.imwrite(str(root / "depth" / name), np.full((12, 16), 2000, np.uint16))
    return root


class MeanColor:
    """Embeds a segment as its mean color: a stand-in that looks at the image (a Teacher)."""

    def teach(self, view: LabelledView, segments: NDArray[np.int32]) -> Lesson:
        """Means (S, 3) of the segments and (3,) of the view."""
        ids = ids_in(segments)
        rows = [view.color[segments == value].mean(axis=0) for value in ids]
        return Lesson(ids, np.asarray(rows, np.float32), view.color.mean(axis=(0, 1)).astype(np.float32))


def course(root: Path, teacher: type[MeanColor] = MeanColor) -> Course:
    """Teaches the views in ``root``."""
    opener = partial(open_views, root, ALL, "folder", ViewOptions(need_depth=False))
    return Course(opener, TeacherSpec("mean_color", {"colors": "rgb"}, teacher))
