"""The shards that ``training.render_shards`` makes, as labelled views with embeddings of every object."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from rgbd_perception.encodings import millimetres_to_metres
from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.class_lists import class_list
from rgbd_perception.training.datasets.options import ALL, ViewOptions
from rgbd_perception.training.datasets.views import IGNORED, DataSetInfo, LabelledView, SegmentEmbeddings
from rgbd_perception.training.shards import Shard, list_shards, open_shards

SPLITS = ("train", "validation", "test")
EXPECTED_SPLITS: tuple[str, ...] = ()


class ShardViews:
    """All views of a folder of shards (a LabelledViews): an object is an instance and a segment."""

    def __init__(self, root: Path, split: str) -> None:
        self._folders = list_shards(root)
        self._shards = open_shards(root)
        self._ends = np.cumsum([len(shard) for shard in self._shards])
        self._split = split

    @cached_property
    def info(self) -> DataSetInfo:
        """What holds for all views."""
        listed = class_list(self._shards[0].info.class_names)
        return DataSetInfo("rooms", self._split, listed.names, listed.colors, listed.things)

    @property
    def text_space(self) -> str:
        """That of the embeddings."""
        return self._shards[0].info.text_space

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, index: int) -> str:
        """The split, the shard and the place in it."""
        place, inside = self._find(index)
        return f"{self._split}/{self._folders[place].name}/{inside}"

    def view(self, index: int) -> LabelledView:
        """View ``index``. Raises UserError where its labels point outside of the shard's tables."""
        place, inside = self._find(index)
        shard = self._shards[place]
        color, depth, rows = shard.view(inside)
        objects = np.unique(rows[rows > 0]).astype(np.int64)
        if len(objects) and objects[-1] > len(shard.classes):
            raise UserError(
                f"{self._folders[place]}: view {inside} has object {objects[-1]}, expected at most "
                f"{len(shard.classes)}: delete the shard and render it again"
            )
        segments = rows.astype(np.int32)
        return LabelledView(
            name=self.name(index),
            color=np.array(color),
            depth=millimetres_to_metres(depth),
            semantic=_classes_of_rows(shard)[rows],
            instance=segments,
            segments=segments,
            embeddings=SegmentEmbeddings(objects, shard.embeddings[objects - 1].astype(np.float32)),
        )

    def _find(self, index: int) -> tuple[int, int]:
        """Shard, and place in it."""
        if not 0 <= index < len(self):
            raise IndexError(f"view {index} of {len(self)}")
        place = int(np.searchsorted(self._ends, index, side="right"))
        return place, int(index - self._ends[place] + len(self._shards[place]))


def _classes_of_rows(shard: Shard) -> np.ndarray:
    return np.concatenate(([IGNORED], shard.classes)).astype(np.int16)


def is_here(root: Path) -> bool:
    """Whether there are whole shards."""
    return bool(splits(root))


def splits(root: Path) -> tuple[str, ...]:
    """The folders of splits with shards, or ``ALL`` where shards lie in ``root``."""
    there = tuple(split for split in SPLITS if list_shards(root / split))
    return there or ((ALL,) if list_shards(root) else ())


def open_split(root: Path, split: str, options: ViewOptions) -> ShardViews:
    """One split. Raises UserError where it has no shard."""
    del options  # shards have one form
    return ShardViews(root if split == ALL else root / split, split)
