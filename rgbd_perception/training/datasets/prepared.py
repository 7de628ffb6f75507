"""What NYUv2, SUN RGB-D, ScanNet and Hypersim have in common once nicr-scene-analysis-datasets prepared them.

``<root>/<split file>.txt`` lists ids, the data lie at ``<root>/<split>/<folder>/<id>.<ending>``. Label PNGs
have one channel, 0 is void and class ``i`` is ``i + 1``; an instance of 0 is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rgbd_perception.errors import UserError
from rgbd_perception.inference.preprocessing_facts import DEPTH_STATISTICS
from rgbd_perception.training.datasets.class_lists import ClassList
from rgbd_perception.training.datasets.file_views import Layout
from rgbd_perception.training.datasets.labels import VOID_IS_0, LabelCode
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.split_files import list_splits
from rgbd_perception.training.datasets.views import DataSetInfo


@dataclass(frozen=True)
class PreparedLayout(Layout):
    """Paths below ``<root>/<split>``."""

    depth_folder: str | None
    instance_folder: str | None

    def path(self, folder: str, name: str, ending: str) -> Path:
        """File of view ``name``."""
        return self.root / self.split / folder / f"{name}.{ending}"

    def optional(self, folder: str | None, name: str, ending: str) -> Path | None:
        """The same where the data set was prepared with that folder, else None."""
        there = folder is not None and (self.root / self.split / folder).is_dir()
        return self.path(folder, name, ending) if there and folder is not None else None

    def images(self, name: str, color_ending: str, semantic_folder: str) -> dict[str, Path]:
        """Color, labels, and depth and instances where they are wanted."""
        paths = {
            "color": self.path("rgb", name, color_ending),
            "semantic": self.path(semantic_folder, name, "png"),
        }
        if self.depth_folder:
            paths["depth"] = self.path(self.depth_folder, name, "png")
        if self.instance_folder:
            paths["instance"] = self.path(self.instance_folder, name, "png")
        return paths


def prepared_info(
    name: str,
    classes: ClassList,
    layout: PreparedLayout,
    official: int | None = None,
    scenes: int | None = None,
) -> DataSetInfo:
    """What is known about a split in ``layout``: how many views, or recordings, it should have."""
    mean, std = DEPTH_STATISTICS[name]
    return DataSetInfo(
        name=name,
        split=layout.split,
        classes=classes.names,
        colors=classes.colors,
        things=classes.things,
        depth_mean=mean,
        depth_std=std,
        official_count=official,
        official_scenes=scenes,
        has_depth=layout.depth_folder is not None,
    )


def code_of(classes: ClassList) -> LabelCode:
    """Labels of prepared data sets."""
    return LabelCode(1, len(classes), VOID_IS_0)


def depth_folder(folder: Path, name: str, need: bool) -> str | None:
    """``name`` where ``folder`` has it; otherwise None, or UserError where it is needed."""
    if (folder / name).is_dir():
        return name
    if need:
        raise UserError(f"expected depth images in {folder / name}, there is no such folder")
    return None


def need_labels(folder: Path) -> None:
    """UserError where a split has no labels at all (those of some test splits are secret)."""
    if not folder.is_dir():
        raise UserError(f"expected label images in {folder}, there is no such folder: choose another split")


def instance_folder(folder: Path, names: tuple[str, ...], options: ViewOptions) -> str | None:
    """The first of ``names`` that ``folder`` has, None where there is none or none is wanted."""
    there = (name for name in names if (folder / name).is_dir())
    return next(there, None) if options.instances else None


def split_file(root: Path, split: str, every: int) -> Path:
    """The list of the whole split, or of each ``every``-th frame."""
    return root / (f"{split}.txt" if every == 1 else f"{split}_every_{every}th.txt")


def first_id(root: Path, known: tuple[str, ...]) -> str:
    """The first view of any split, empty where there is none: the form of ids tells data sets apart."""
    for split in list_splits(root, known):
        with (root / f"{split}.txt").open(encoding="utf-8", errors="replace") as file:
            if line := file.readline().strip():
                return line
    return ""
