"""What every teacher offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.training.datasets.views import LabelledView


@dataclass(frozen=True)
class Lesson:
    """What a teacher says about one view, as it is stored: vectors of any length.

    ids      (S,) int64 segments
    rows     (S, D) float32, one for each
    image    (D,) float32 embedding of the whole view, None for a teacher that does not look at it
    """

    ids: NDArray[np.int64]
    rows: NDArray[np.float32]
    image: NDArray[np.float32] | None = None


class Teacher(Protocol):
    """Views to lessons. The same view gives the same bytes, whatever was asked before."""

    def teach(self, view: LabelledView, segments: NDArray[np.int32]) -> Lesson:
        """Embeddings of the ``segments`` (H, W) of ``view``."""


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher that is not loaded yet, so that it can be sent to another process.

    name    of the estimator: part of the names of its folders
    facts   what else decides the bytes (weights, classes): plain values, remembered beside the files
    make    loads it; picklable
    """

    name: str
    facts: Mapping[str, Any]
    make: Callable[[], Teacher]
