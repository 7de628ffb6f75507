"""SUN RGB-D (Song et al. 2015) as prepared: four cameras, images of several sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.sources.images_io import read_depth_counts
from rgbd_perception.training.datasets.class_lists import SUNRGBD_37
from rgbd_perception.training.datasets.file_views import FileViews, SampleFiles
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.prepared import (
    PreparedLayout,
    code_of,
    depth_folder,
    instance_folder,
    need_labels,
    prepared_info,
)
from rgbd_perception.training.datasets.split_files import list_splits, read_split

OFFICIAL = {"train": 5285, "test": 5050}
EXPECTED_SPLITS = tuple(OFFICIAL)
SEMANTIC = "semantic"
INSTANCES = ("instance_panopticndt", "instance_emsanet", "instance")
"""Newest first; the plain name is that of preparations before version 0.7.0."""

MAX_MM = 8000
"""Beyond, raw depth counts as missing and refined depth as this."""


@dataclass(frozen=True)
class SunRgbdLayout(PreparedLayout):
    """``rgb`` as JPEG, ``depth_raw`` or ``depth``, ``semantic``, ``instance_*``, ``orientations_*``."""

    def files(self, name: str) -> SampleFiles:
        oriented = self.instance_folder and self.instance_folder.replace("instance", "orientations")
        return SampleFiles(
            self.images(name, "jpg", SEMANTIC),
            orientations=self.optional(oriented, name, "json"),
            scene=self.optional("scene_class", name, "txt"),
            intrinsics=self.optional("intrinsics", name, "json"),
        )

    def read_depth(self, path: Path) -> NDArray[np.float32]:
        """The three low bits are unused: millimetres are the value >> 3."""
        millimetres = read_depth_counts(path) >> 3
        beyond = 0 if self.depth_folder == "depth_raw" else MAX_MM
        return np.where(millimetres > MAX_MM, beyond, millimetres).astype(np.float32) / np.float32(1000)


def is_here(root: Path) -> bool:
    """Whether ``root`` looks like it: labels in ``semantic``, without a number of classes."""
    return any((root / split / SEMANTIC).is_dir() and (root / f"{split}.txt").is_file() for split in OFFICIAL)


def splits(root: Path) -> tuple[str, ...]:
    """The splits that have a list."""
    return list_splits(root, tuple(OFFICIAL))


def open_split(root: Path, split: str, options: ViewOptions) -> FileViews:
    """One split. Raises UserError where it is missing or empty."""
    names = read_split(root / f"{split}.txt")
    folder = root / split
    need_labels(folder / SEMANTIC)
    layout = SunRgbdLayout(
        root,
        split,
        code_of(SUNRGBD_37),
        depth_folder(folder, "depth" if options.refined_depth else "depth_raw", options.need_depth),
        instance_folder(folder, INSTANCES, options),
    )
    return FileViews(prepared_info("sunrgbd", SUNRGBD_37, layout, OFFICIAL.get(split)), names, layout)
