"""Segments of a labelled view as a teacher sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.training.datasets.segments import LABEL_DIVISOR, panoptic_segments
from rgbd_perception.training.datasets.views import LabelledView

VOID = 0


def segment_ids(view: LabelledView, things: Sequence[bool]) -> NDArray[np.int32]:
    """Ids (H, W) of ``panoptic_segments``; a data set without any instances has one segment for each class.

    (Where there are instances, pixels of a thing without one are void, as published.)
    """
    counted = things if view.instance is not None else [False] * len(things)
    return panoptic_segments(view.semantic, view.instance, counted)


def ids_in(segments: NDArray[np.int32]) -> NDArray[np.int64]:
    """The ids that have a pixel, rising, without VOID."""
    ids = np.unique(segments).astype(np.int64)
    return ids[ids != VOID]


def classes_of(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """0-based class of each segment."""
    return ids // LABEL_DIVISOR - 1
