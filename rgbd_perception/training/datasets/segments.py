"""Ground-truth segments: classes and instances as one id of each pixel, and their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.training.datasets.views import (
    DataSetInfo,
    LabelledView,
    LabelledViews,
    SegmentEmbeddings,
)

LABEL_DIVISOR = 1 << 16
"""As in ``inference.panoptic``, which needs torch."""


def panoptic_segments(
    semantic: NDArray[np.int16], instance: NDArray[np.int32] | None, things: Sequence[bool]
) -> NDArray[np.int32]:
    """(H, W) ids ``(class + 1) * LABEL_DIVISOR + k``; 0 = none.

    ``k`` counts the instances of a class from 1, by ascending id; of stuff it is 0. An instance that covers
    several classes is split. Void is no segment, nor are pixels of things without an instance.
    """
    ids = (semantic.astype(np.int64) + 1) * LABEL_DIVISOR
    is_thing = np.array([*things, False])[semantic]
    if instance is None:
        return np.where(is_thing, 0, ids).astype(np.int32)
    counted = is_thing & (instance > 0)
    # The instance of a data set has at most 16 bits: class and instance together sort by class first.
    pairs, places = np.unique(ids[counted] + instance[counted], return_inverse=True)
    classes = pairs // LABEL_DIVISOR
    numbers = np.arange(len(pairs)) - np.searchsorted(classes, classes) + 1
    ids[is_thing] = 0
    ids[counted] = (classes * LABEL_DIVISOR + numbers)[places]
    return ids.astype(np.int32)


class EmbeddedViews:
    """Views with the embeddings of their segments (a LabelledViews).

    ``load`` takes a view's name; None where there are no embeddings for it.
    """

    def __init__(self, views: LabelledViews, load: Callable[[str], SegmentEmbeddings | None]) -> None:
        self._views, self._load = views, load

    @property
    def info(self) -> DataSetInfo:
        """That of the views."""
        return self._views.info

    def __len__(self) -> int:
        return len(self._views)

    def name(self, index: int) -> str:
        """That of the view."""
        return self._views.name(index)

    def view(self, index: int) -> LabelledView:
        """View ``index`` with segments and embeddings. Raises UserError."""
        view = self._views.view(index)
        segments = panoptic_segments(view.semantic, view.instance, self.info.things)
        return replace(view, segments=segments, embeddings=self._load(view.name))
