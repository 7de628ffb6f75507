"""Looking at every view of a split: what is wrong, how often classes occur, how far things are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.file_views import FileViews
from rgbd_perception.training.datasets.views import IGNORED, DataSetInfo, LabelledView, LabelledViews

PLAUSIBLE_FACTOR = 3.0
"""A mean depth so many times the published one, or less than a part of it, is of another unit."""

Progress = Callable[[Iterable["ViewFacts"], int], Iterable["ViewFacts"]]


@dataclass(frozen=True)
class DepthFacts:
    """Sums over depth images, from which means follow."""

    pixels: int = 0
    valid: int = 0
    total: float = 0.0
    squares: float = 0.0
    nearest: float = np.inf
    farthest: float = 0.0

    def __add__(self, other: DepthFacts) -> DepthFacts:
        return DepthFacts(
            self.pixels + other.pixels,
            self.valid + other.valid,
            self.total + other.total,
            self.squares + other.squares,
            min(self.nearest, other.nearest),
            max(self.farthest, other.farthest),
        )

    @property
    def mean(self) -> float:
        """Metres over the pixels with a measurement."""
        return self.total / self.valid if self.valid else 0.0

    @property
    def std(self) -> float:
        """Likewise."""
        return float(np.sqrt(max(self.squares / self.valid - self.mean**2, 0.0))) if self.valid else 0.0

    @property
    def missing(self) -> float:
        """Share of the pixels without a measurement."""
        return 1.0 - self.valid / self.pixels if self.pixels else 0.0


@dataclass(frozen=True)
class ViewFacts:
    """What one view says: its problems, or the pixels (C + 1) of the classes (void last) and its depth."""

    problems: tuple[str, ...]
    pixels: NDArray[np.int64] | None = None
    depth: DepthFacts = DepthFacts()
    shape: tuple[int, int] = (0, 0)


@dataclass
class SplitReport:
    """A split: its problems, a line each, and sums over its readable views."""

    info: DataSetInfo
    views: int
    problems: list[str]
    readable: int = 0
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    seen_in: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    depth: DepthFacts = DepthFacts()
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)

    @property
    def void_share(self) -> float:
        """Of all pixels of readable views."""
        return float(self.pixels[-1] / max(self.pixels.sum(), 1))

    @property
    def shares(self) -> NDArray[np.float64]:
        """(C,) of the labelled pixels."""
        return self.pixels[:-1] / max(int(self.pixels[:-1].sum()), 1)


def check_split(
    views: LabelledViews, *, partial: bool, workers: int, progress: Progress = lambda facts, count: facts
) -> SplitReport:
    """Read every view, ``workers`` at once.

    partial   part of the data set is missing on purpose: its size is not compared with the official one
    progress  shows how far it is: gets the facts one by one and their number, and passes them on
    """
    info = views.info
    report = SplitReport(info, len(views), [] if partial else count_problems(views))
    report.pixels = np.zeros(len(info.classes) + 1, np.int64)
    report.seen_in = np.zeros(len(info.classes), np.int64)
    with ThreadPoolExecutor(workers) as pool:
        facts = pool.map(lambda index: view_facts(views, index), range(len(views)))
        for fact in progress(facts, len(views)):
            _add(report, fact)
    report.problems += _whole_problems(report)
    return report


def view_facts(views: LabelledViews, index: int) -> ViewFacts:
    """The facts of one view."""
    view, problems = _examine(views, index)
    if view is None:
        return ViewFacts(tuple(problems))
    classes = len(views.info.classes)
    pixels = np.bincount(
        np.where(view.semantic == IGNORED, classes, view.semantic).ravel(), minlength=classes + 1
    )
    return ViewFacts((), pixels, _depth_facts(view.depth), view.shape)


def count_problems(views: LabelledViews) -> list[str]:
    """Where the split has not the official size."""
    info, problems = views.info, []
    if info.official_count not in (None, len(views)):
        problems.append(f"{len(views)} views, expected {info.official_count} of the official split")
    if info.official_scenes is not None:
        scenes = {views.name(index).rpartition("/")[0] for index in range(len(views))}
        if len(scenes) != info.official_scenes:
            problems.append(f"{len(scenes)} scenes, expected {info.official_scenes} of the official split")
    return problems


def shared_views(splits: Sequence[LabelledViews]) -> list[str]:
    """Views that are in two splits: what is trained on must not be scored on."""
    problems: list[str] = []
    home: dict[str, str] = {}
    for views in splits:
        for index in range(len(views)):
            name = views.name(index)
            first = home.setdefault(name, views.info.split)
            if first != views.info.split:
                problems.append(f"{name} is in the splits {first} and {views.info.split}")
    return problems


def _examine(views: LabelledViews, index: int) -> tuple[LabelledView | None, list[str]]:
    """Data sets of files tell everything that is wrong, others the first thing."""
    if isinstance(views, FileViews):
        return views.examine(index)
    try:
        return views.view(index), []
    except UserError as error:
        return None, [str(error)]


def _depth_facts(depth: NDArray[np.float32] | None) -> DepthFacts:
    if depth is None:
        return DepthFacts()
    valid = depth[depth > 0].astype(np.float64)
    if not len(valid):
        return DepthFacts(depth.size)
    return DepthFacts(
        depth.size,
        len(valid),
        float(valid.sum()),
        float(valid @ valid),
        float(valid.min()),
        float(valid.max()),
    )


def _add(report: SplitReport, fact: ViewFacts) -> None:
    report.problems += fact.problems
    if fact.pixels is None:
        return
    report.readable += 1
    report.pixels += fact.pixels
    report.seen_in += fact.pixels[:-1] > 0
    report.depth += fact.depth
    report.sizes[fact.shape] += 1


def _whole_problems(report: SplitReport) -> list[str]:
    """What only shows over all views."""
    if not report.readable:
        return []
    problems = []
    if not report.pixels[:-1].any():
        problems.append("no pixel has a class: every label is void")
    published, mean = report.info.depth_mean, report.depth.mean
    if report.info.has_depth and not report.depth.valid:
        problems.append("no pixel has depth: every measurement is missing")
    elif published and mean and not 1 / PLAUSIBLE_FACTOR < mean / published < PLAUSIBLE_FACTOR:
        problems.append(
            f"depth has a mean of {mean:.3g} m, expected about {published:.3g} m: it is in another unit"
        )
    return problems
