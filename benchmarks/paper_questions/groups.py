"""Classes in nine groups: what two-stream networks can learn to tell apart in a few minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper_questions.rooms import Rooms
from rgbd_perception.training.datasets.class_lists import class_list
from rgbd_perception.training.datasets.shard_views import ShardViews
from rgbd_perception.training.datasets.views import IGNORED, DataSetInfo, LabelledView
from rgbd_perception.training.shards import open_shards

GROUPS: dict[str, tuple[str, ...]] = {
    "wall": ("wall",),
    "floor": ("floor", "rug"),
    "ceiling": ("ceiling",),
    "door": ("door",),
    "window": ("window", "curtain"),
    "seat or bed": ("bed", "sofa", "chair", "stool", "pillow"),
    "table": ("table", "desk"),
    "closet or appliance": (
        "cabinet",
        "bookshelf",
        "wardrobe",
        "refrigerator",
        "stove",
        "washing machine",
    ),
    "other": (),
}
"""Names of classes; the last group has all that no other has."""


def group_numbers(names: Sequence[str]) -> NDArray[np.uint8]:
    """Place in ``GROUPS`` of each class."""
    places = {name: place for place, members in enumerate(GROUPS.values()) for name in members}
    return np.array([places.get(name, len(GROUPS) - 1) for name in names], np.uint8)


def grouped(rooms: Rooms) -> Rooms:
    """The same rooms with groups for the classes of the test, and without texts: a classifier needs none."""
    table = group_numbers(rooms.test[0].info.class_names)
    test = open_shards(rooms.root / "test")
    for shard in test:
        shard.classes = table[shard.classes]
        shard.info = replace(shard.info, class_names=tuple(GROUPS))
    return replace(rooms, test=test, classes=np.zeros((len(GROUPS), 0), np.float32))


class GroupedViews:
    """The views of shards with groups for classes (a LabelledViews)."""

    def __init__(self, views: ShardViews) -> None:
        self._views = views
        self._table = np.append(group_numbers(views.info.classes).astype(np.int16), np.int16(IGNORED))
        listed = class_list(tuple(GROUPS))
        self._info = replace(views.info, classes=listed.names, colors=listed.colors, things=listed.things)

    @property
    def info(self) -> DataSetInfo:
        """What holds for all views."""
        return self._info

    def __len__(self) -> int:
        return len(self._views)

    def name(self, index: int) -> str:
        """As that of the shards."""
        return self._views.name(index)

    def view(self, index: int) -> LabelledView:
        """View ``index``; pixels without a class stay without."""
        view = self._views.view(index)
        return replace(view, semantic=self._table[view.semantic])
