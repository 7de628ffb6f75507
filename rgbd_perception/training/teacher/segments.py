"""Segments of a labelled view: ground-truth classes and instances merged, for DVEFormer's targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.inference.panoptic import LABEL_DIVISOR, VOID
from rgbd_perception.training.datasets.views import LabelledView


def segment_ids(view: LabelledView, things: Sequence[bool]) -> NDArray[np.int32]:
    """Ids (H, W): ``(class + 1) * 65536 + k``, VOID where there is no segment; ``things`` by class.

    ``k`` counts the instances of a thing class from 1 in the order of their ids; it is 0 for stuff. An
    instance that covers several classes is split; pixels of a thing without an instance are void. A data set
    without instances (None) has one segment for each class.
    """
    label = view.semantic.astype(np.int64)
    inside = (label >= 0) & (label < len(things))
    ids = np.where(inside, (label + 1) * LABEL_DIVISOR, VOID)
    if view.instance is None:
        return ids.astype(np.int32)
    thing = np.zeros(label.shape, bool)
    thing[inside] = np.asarray(things, bool)[label[inside]]
    ids[thing & (view.instance <= 0)] = VOID
    counted = thing & (view.instance > 0)
    pairs = np.stack((label[counted], view.instance[counted].astype(np.int64)), axis=1)
    kinds, places = np.unique(pairs, axis=0, return_inverse=True)
    first = np.searchsorted(kinds[:, 0], kinds[:, 0])
    numbers = np.arange(len(kinds)) - first + 1
    if len(kinds) and numbers.max() >= LABEL_DIVISOR:
        raise ValueError(f"{view.name}: {numbers.max()} instances of a class, expected fewer than 65536")
    ids[counted] += numbers[places.reshape(-1)]
    return ids.astype(np.int32)


def ids_in(segments: NDArray[np.int32]) -> NDArray[np.int64]:
    """The ids that have a pixel, rising, without VOID."""
    ids = np.unique(segments).astype(np.int64)
    return ids[ids != VOID]


def classes_of(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """0-based class of each segment."""
    return ids // LABEL_DIVISOR - 1
