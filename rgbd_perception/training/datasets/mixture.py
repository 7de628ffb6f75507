"""Several data sets as one, with so much of each in every epoch; the order is a function of the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.views import IGNORED, DataSetInfo, LabelledView, LabelledViews

_SUBSET, _SHUFFLE, _AUGMENT = range(3)
"""What random numbers are for. numpy pads short seeds with zeros, so all of ours have four numbers."""


@dataclass(frozen=True)
class Part:
    """A data set, and the fraction of it that an epoch has: another random subset in every epoch."""

    views: LabelledViews
    fraction: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.fraction <= 1.0:
            raise UserError(
                f"expected a fraction of {self.views.info.name} above 0 and up to 1, got {self.fraction:g}"
            )

    @property
    def epoch_count(self) -> int:
        """Views in an epoch, at least one."""
        return max(1, round(self.fraction * len(self.views)))


class Mixture:
    """All views of some data sets, one after the other (a LabelledViews).

    Classes and statistics of depth are those of the first, as in DVEFormer's mixed training. Classes of the
    others are found by their names; what the first does not have is IGNORED.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise UserError("expected at least one data set to train on, got none")
        self.parts = tuple(parts)
        self._ends = np.cumsum([len(part.views) for part in parts])
        first = parts[0].views.info
        self._info = replace(
            first,
            name="+".join(part.views.info.name for part in parts),
            has_depth=all(part.views.info.has_depth for part in parts),
        )
        self._tables = [_renumbering(part.views.info.classes, first.classes) for part in parts]

    @property
    def info(self) -> DataSetInfo:
        """That of the first data set, with the names of all."""
        return self._info

    @property
    def epoch_length(self) -> int:
        """Views in an epoch."""
        return sum(part.epoch_count for part in self.parts)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def locate(self, index: int) -> tuple[int, int]:
        """The part of view ``index``, and its place in that."""
        if not 0 <= index < len(self):
            raise IndexError(f"view {index} of {len(self)}")
        part = int(np.searchsorted(self._ends, index, side="right"))
        return part, int(index - self._ends[part] + len(self.parts[part].views))

    def name(self, index: int) -> str:
        """The data set, and the name there."""
        part, place = self.locate(index)
        views = self.parts[part].views
        return f"{views.info.name}:{views.name(place)}"

    def view(self, index: int) -> LabelledView:
        """View ``index`` with the classes of the first data set."""
        part, place = self.locate(index)
        view = self.parts[part].views.view(place)
        table = self._tables[part]
        semantic = view.semantic if table is None else table[view.semantic]
        return replace(view, name=self.name(index), semantic=semantic)

    def epoch(self, seed: int, number: int) -> NDArray[np.int64]:
        """The views (epoch_length,) of epoch ``number``, data sets mixed."""
        chosen = []
        for place, part in enumerate(self.parts):
            rng = np.random.default_rng((seed, number, _SUBSET, place))
            count = len(part.views)
            chosen.append(rng.permutation(count)[: part.epoch_count] + self._ends[place] - count)
        return np.random.default_rng((seed, number, _SHUFFLE, 0)).permutation(np.concatenate(chosen))


class SampleOrder:
    """An endless row of samples over the epochs. Whoever knows a position can go on from there."""

    def __init__(self, mixture: Mixture, seed: int) -> None:
        self._mixture, self._seed = mixture, seed
        self._epoch = lru_cache(maxsize=2)(lambda number: mixture.epoch(seed, number))

    @property
    def epoch_length(self) -> int:
        """Samples in an epoch."""
        return self._mixture.epoch_length

    def index(self, position: int) -> int:
        """The view of sample ``position`` (0, 1, ...)."""
        epoch, place = divmod(position, self.epoch_length)
        return int(self._epoch(epoch)[place])

    def rng(self, position: int) -> np.random.Generator:
        """The random numbers of its augmentation: of seed, epoch and view, whoever asks and when."""
        epoch = position // self.epoch_length
        return np.random.default_rng((self._seed, epoch, _AUGMENT, self.index(position)))


def _renumbering(given: Sequence[str], wanted: Sequence[str]) -> NDArray[np.int16] | None:
    """Table from classes ``given`` to ``wanted``, its last entry for IGNORED; None where nothing changes."""
    if tuple(given) == tuple(wanted)[: len(given)]:
        return None
    places = [wanted.index(name) if name in wanted else IGNORED for name in given]
    return np.array([*places, IGNORED], np.int16)
