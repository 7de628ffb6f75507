"""Views of the generator of rooms, rendered when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rgbd_perception.errors import UserError
from rgbd_perception.sources.options import SourceOptions
from rgbd_perception.training.datasets.class_lists import class_list
from rgbd_perception.training.datasets.options import ALL, ViewOptions
from rgbd_perception.training.datasets.views import IGNORED, DataSetInfo, LabelledView
from rgbd_perception.vocabulary import UNKNOWN_LABEL

if TYPE_CHECKING:
    from rgbd_perception.sources.synthetic import SyntheticSource

PREFIX = "synthetic:"
EXPECTED_SPLITS: tuple[str, ...] = ()
_MAX_DEPTH = 20.0
"""Metres; the rooms are smaller."""


class GeneratedViews:
    """The frames of one walk through a generated apartment (a LabelledViews)."""

    def __init__(self, source: SyntheticSource, every: int = 1) -> None:
        """``every``: each so manyth frame of the walk."""
        from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES

        self._source = source
        self._frames = range(0, len(source), every)
        listed = class_list(CLASS_NAMES)
        self._info = DataSetInfo("rooms", ALL, listed.names, listed.colors, listed.things)

    @property
    def info(self) -> DataSetInfo:
        """What holds for all views."""
        return self._info

    def __len__(self) -> int:
        return len(self._frames)

    def name(self, index: int) -> str:
        """The seed and the number of the frame."""
        return f"seed-{self._source.seed}/frame-{self._frames[index]:06d}"

    def view(self, index: int) -> LabelledView:
        """View ``index``; the same bytes every time."""
        number = self._frames[index]
        frame, truth = self._source.load(number), self._source.truth(number)
        label = np.where(truth.label == UNKNOWN_LABEL, IGNORED, truth.label.astype(np.int32))
        return LabelledView(
            name=self.name(index),
            color=frame.color,
            depth=frame.depth,
            semantic=label.astype(np.int16),
            instance=truth.instance.astype(np.int32),
            intrinsics=frame.intrinsics,
        )


def open_generated(
    spec: str, frames: int = 300, size: tuple[int, int] = (240, 320), every: int = 1
) -> GeneratedViews:
    """``synthetic:SEED``: every so manyth of ``frames`` views of ``size`` (H, W). Raises UserError."""
    from rgbd_perception.sources.synthetic import SyntheticSource

    seed = spec.removeprefix(PREFIX)
    if not seed.isdecimal():
        raise UserError(f"expected {PREFIX}SEED with a whole number, got {spec!r}")
    options = SourceOptions(max_depth=_MAX_DEPTH)
    return GeneratedViews(SyntheticSource(int(seed), frames=frames, size=size, options=options), every)


def is_here(root: Path) -> bool:
    """Whether ``root`` is no folder but names a generated apartment."""
    return str(root).startswith(PREFIX)


def splits(root: Path) -> tuple[str, ...]:
    """One, with all frames."""
    return (ALL,) if is_here(root) else ()


def open_split(root: Path, split: str, options: ViewOptions) -> GeneratedViews:
    """The apartment. Raises UserError."""
    del split  # there is one
    return open_generated(str(root), every=options.every)
