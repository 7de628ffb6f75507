"""NYUDv2 and SUN RGB-D as GeminiFusion and TokenFusion have them: a list of color, mask and depth.

A line has three paths relative to the folder, parted by tabs. Depth is 8 or 16 bits in one channel or in
three equal ones. The authors feed its plain values divided by a constant, so here they are taken for
millimetres: ``depth * 1000`` is what the file holds, whatever its unit really is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.sources.images_io import read_pixels
from rgbd_perception.training.datasets.class_lists import NYUV2_40, SUNRGBD_37, ClassList
from rgbd_perception.training.datasets.file_views import SEMANTIC, FileViews, Images, Layout, SampleFiles
from rgbd_perception.training.datasets.labels import VOID_IS_0, LabelCode
from rgbd_perception.training.datasets.nyuv2 import nyu_camera
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.split_files import list_splits, read_split
from rgbd_perception.training.datasets.views import DataSetInfo

SPLITS = ("train", "val", "test")
EXPECTED_SPLITS = ("train",)
"""And one of the others: their lists have either name."""


@dataclass(frozen=True)
class ListedSet:
    """One of the two data sets in this form; ``labels``, the folder of the masks, tells them apart."""

    name: str
    labels: str
    classes: ClassList
    code: LabelCode
    official: Mapping[str, int]


NYUDV2 = ListedSet(
    "nyuv2",
    "masks",
    NYUV2_40,
    LabelCode(0, len(NYUV2_40), frozenset({255})),
    {"train": 795, "val": 654, "test": 654},
)
SUNRGBD = ListedSet(
    "sunrgbd",
    "labels",
    SUNRGBD_37,
    LabelCode(1, len(SUNRGBD_37), VOID_IS_0),
    {"train": 5285, "val": 5050, "test": 5050},
)


@dataclass(frozen=True)
class ListLayout(Layout):
    """Paths as the list has them."""

    lines: Mapping[str, tuple[str, str, str]] = field(repr=False)
    depth_units: float
    listed: ListedSet

    def files(self, name: str) -> SampleFiles:
        color, mask, depth = (self.root / path for path in self.lines[name])
        return SampleFiles({"color": color, "semantic": mask, "depth": depth})

    def read_depth(self, path: Path) -> NDArray[np.float32]:
        return read_units(path, self.depth_units)

    def align(self, images: Images) -> Images:
        """What is larger than the mask is cut to its middle, as TokenFusion does."""
        if SEMANTIC not in images:
            return images
        height, width = images[SEMANTIC].shape
        return {kind: _middle(image, height, width) for kind, image in images.items()}

    def intrinsics(self, path: Path | None, shape: tuple[int, int]) -> CameraIntrinsics | None:
        """That of NYUv2; the several cameras of SUN RGB-D are not in this form."""
        return nyu_camera(shape) if self.listed is NYUDV2 else None


def read_units(path: Path, units: float) -> NDArray[np.float32]:
    """Depth (H, W) in metres from an image with ``units`` values for a metre.

    Raises FrameDropped where it cannot be read, UserError where its channels differ (HHA is no depth).
    """
    values = read_pixels(path, "depth")
    if values.ndim == 3:
        if not (values[..., :1] == values[..., 1:3]).all():
            raise UserError(f"{path}: three different channels (HHA?), expected depth in one channel")
        values = values[..., 0]
    return np.divide(values, np.float32(units), dtype=np.float32)


def is_here(root: Path) -> bool:
    """Whether ``root`` has a list with tabs."""
    for split in list_splits(root, SPLITS):
        with (root / f"{split}.txt").open(encoding="utf-8", errors="replace") as file:
            return "\t" in file.readline()
    return False


def splits(root: Path) -> tuple[str, ...]:
    """The splits that have a list."""
    return list_splits(root, SPLITS)


def open_split(root: Path, split: str, options: ViewOptions) -> FileViews:
    """One split. Raises UserError where its list is missing, empty or has other lines."""
    lines = _read_lines(root / f"{split}.txt")
    first = next(iter(lines.values()))
    listed = NYUDV2 if PurePosixPath(first[1]).parts[0] == NYUDV2.labels else SUNRGBD
    layout = ListLayout(root, split, listed.code, lines, options.depth_units, listed)
    info = DataSetInfo(
        name=listed.name,
        split=split,
        classes=listed.classes.names,
        colors=listed.classes.colors,
        things=listed.classes.things,
        official_count=listed.official.get(split),
    )
    return FileViews(info, tuple(lines), layout)


def _read_lines(path: Path) -> dict[str, tuple[str, str, str]]:
    """Name (the color path without its ending) to the three paths."""
    lines: dict[str, tuple[str, str, str]] = {}
    for line in read_split(path):
        paths = line.split("\t")
        if len(paths) != 3:
            raise UserError(f"{path}: expected color, mask and depth parted by tabs, got {line!r}")
        name = str(PurePosixPath(paths[0]).with_suffix(""))
        if name in lines:
            raise UserError(f"{path} lists {name!r} twice: expected every view once")
        lines[name] = (paths[0], paths[1], paths[2])
    return lines


def _middle(image: NDArray, height: int, width: int) -> NDArray:
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    if top < 0 or left < 0:
        return image
    return image[top : top + height, left : left + width]
