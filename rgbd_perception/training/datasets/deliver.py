"""DeLiVER (Zhang et al. 2023): driving scenes of CARLA with HHA images, events and lidar beside color.

``<root>/<kind>/<condition>/<split>/<map>/<number>_<kind>_front.png``; what is called depth is an HHA image in
the folder ``hha``, and the folder ``depth`` is not read by the authors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.sources.images_io import read_pixels
from rgbd_perception.training.datasets.class_lists import DELIVER_25
from rgbd_perception.training.datasets.file_views import COLOR, FileViews, Images, Layout, SampleFiles
from rgbd_perception.training.datasets.labels import LabelCode
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.views import DataSetInfo

OFFICIAL = {"train": 3983, "val": 2005, "test": 1897}
"""As others report them; the first two also GeminiFusion's authors."""

EXPECTED_SPLITS = tuple(OFFICIAL)
CONDITIONS = ("cloud", "fog", "night", "rain", "sun")
MODALITIES = {"hha": "depth", "event": "event", "lidar": "lidar"}
"""Folder to the word in its file names."""

_COLOR_ENDING = "_rgb_front.png"


@dataclass(frozen=True)
class DeliverLayout(Layout):
    """A view's name is ``<condition>/<split>/<map>/<number>``; ``modalities``: the folders there are."""

    modalities: tuple[str, ...]

    def files(self, name: str) -> SampleFiles:
        paths = {COLOR: self._path("img", "rgb", name), "semantic": self._path("semantic", "semantic", name)}
        paths |= {folder: self._path(folder, MODALITIES[folder], name) for folder in self.modalities}
        return SampleFiles(paths)

    def read_semantic(self, path: Path) -> NDArray[np.int16]:
        """The red channel."""
        values = read_pixels(path, "label")
        red = values if values.ndim == 2 else values[..., 2]
        return self.code.decode(red.astype(np.uint16), str(path))

    def align(self, images: Images) -> Images:
        """Events of low resolution are resized, as the authors do; the other images must fit."""
        if "event" in images:
            height, width = images[COLOR].shape[:2]
            resized = cv2.resize(images["event"], (width, height), interpolation=cv2.INTER_NEAREST)
            images["event"] = np.asarray(resized, dtype=np.uint8)
        return images

    def _path(self, folder: str, kind: str, name: str) -> Path:
        stem = self.root / folder / PurePosixPath(name)
        return stem.with_name(f"{stem.name}_{kind}_front.png")


def is_here(root: Path) -> bool:
    """Whether ``root`` has color and labels by condition."""
    return (
        any((root / "img" / condition).is_dir() for condition in CONDITIONS) and (root / "semantic").is_dir()
    )


def splits(root: Path) -> tuple[str, ...]:
    """The splits that have color under any condition."""
    return tuple(split for split in OFFICIAL if any((root / "img").glob(f"*/{split}")))


def open_split(root: Path, split: str, options: ViewOptions) -> FileViews:
    """One split, under one condition where one is chosen. Raises UserError where it has no view."""
    paths = sorted((root / "img").glob(f"*/{split}/*/*{_COLOR_ENDING}"))
    names = [path.relative_to(root / "img").as_posix().removesuffix(_COLOR_ENDING) for path in paths]
    names = [name for name in names if options.condition in name]
    if not names:
        wanted = f" with {options.condition!r} in their path" if options.condition else ""
        raise UserError(f"expected views of the split {split}{wanted} in {root / 'img'}, found none")
    there = tuple(folder for folder in MODALITIES if (root / folder).is_dir())
    code = LabelCode(1, len(DELIVER_25), frozenset({0, 255}))
    info = DataSetInfo(
        name="deliver",
        split=split,
        classes=DELIVER_25.names,
        colors=DELIVER_25.colors,
        things=DELIVER_25.things,
        official_count=None if options.condition else OFFICIAL.get(split),
        has_depth=False,
        modalities=there,
    )
    return FileViews(info, names, DeliverLayout(root, split, code, there))
