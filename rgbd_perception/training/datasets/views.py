"""What a labelled data set is to training: views by number, and what their labels mean.

Every layout on disk becomes the same values: classes are 0-based, void is ``IGNORED``, depth is metres, sizes
agree. So nothing behind this file knows where a view came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics

IGNORED = -1
"""Class of pixels without one (void), in every data set, whatever its files have there."""


@dataclass(frozen=True)
class SegmentEmbeddings:
    """Embeddings of the segments of one view.

    ids       (S,) int64 ids in ``LabelledView.segments``; an id may have no pixel, a pixel's id no row
    vectors   (S, K, D) float32 unit vectors: K descriptions of each (a teacher gives one)
    image     (D,) float32 unit embedding of the whole image, None where there is none
    """

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    image: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class LabelledView:
    """One view with its labels. All images have the same height and width.

    name          what the data set calls it: unique within its split
    color         (H, W, 3) uint8 rgb
    depth         (H, W) float32 metres, 0 = no measurement; None where the data set has no depth
    semantic      (H, W) int16 classes, 0-based into ``DataSetInfo.classes``; IGNORED = none
    instance      (H, W) int32, 0 = none; None where the data set has none
    segments      (H, W) int32 ids that ``embeddings`` speaks of, 0 = none; None without embeddings
    embeddings    of the segments
    intrinsics    of color and everything registered to it
    orientations  instance to angle in radians about the vertical axis, measured from the viewing direction
    scene         class of the whole view, 0-based into ``class_lists.SCENES``; IGNORED = none
    modalities    further images (H, W, 3) uint8 by name: hha, event, lidar
    """

    name: str
    color: NDArray[np.uint8]
    depth: NDArray[np.float32] | None
    semantic: NDArray[np.int16]
    instance: NDArray[np.int32] | None = None
    segments: NDArray[np.int32] | None = None
    embeddings: SegmentEmbeddings | None = None
    intrinsics: CameraIntrinsics | None = None
    orientations: Mapping[int, float] = field(default_factory=dict)
    scene: int = IGNORED
    modalities: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of all images."""
        return self.color.shape[0], self.color.shape[1]


@dataclass(frozen=True)
class DataSetInfo:
    """What is known about a split before any image is read.

    name             of the data set: nyuv2, sunrgbd, scannet, hypersim, deliver, rooms, folder
    split            as the data set calls it
    classes          names, without void
    colors           (C, 3) uint8 rgb
    things           which classes have instances; the others are stuff
    depth_mean       metres over the training split; None where nobody has measured it
    depth_std        likewise
    official_count   views of the official split; None where there is no such number
    official_scenes  recordings of the official split (all of a view's name but the last part); likewise
    has_depth        whether views have depth
    modalities       names of the further images that views have
    """

    name: str
    split: str
    classes: tuple[str, ...]
    colors: NDArray[np.uint8]
    things: tuple[bool, ...]
    depth_mean: float | None = None
    depth_std: float | None = None
    official_count: int | None = None
    official_scenes: int | None = None
    has_depth: bool = True
    modalities: tuple[str, ...] = ()

    @property
    def stuff(self) -> tuple[int, ...]:
        """The classes that are no things."""
        return tuple(label for label, thing in enumerate(self.things) if not thing)


class LabelledViews(Protocol):
    """A split of a data set. Reading is free of state: any view, in any order, from any thread."""

    @property
    def info(self) -> DataSetInfo:
        """What holds for all views."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Name of view ``index``, without reading an image."""

    def view(self, index: int) -> LabelledView:
        """View ``index`` of 0 .. len - 1. Raises UserError, one line with the file that is bad."""
