"""Hypersim (Roberts et al. 2021) as prepared: rendered, tone-mapped color, 768x1024."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.sources.images_io import read_color, read_depth_counts
from rgbd_perception.training.datasets.class_lists import NYUV2_40
from rgbd_perception.training.datasets.file_views import FileViews, SampleFiles
from rgbd_perception.training.datasets.nyuv2 import SEMANTIC
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.prepared import (
    PreparedLayout,
    code_of,
    depth_folder,
    first_id,
    instance_folder,
    need_labels,
    prepared_info,
    split_file,
)
from rgbd_perception.training.datasets.split_files import list_splits, read_split

EXPECTED_SPLITS = SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class HypersimLayout(PreparedLayout):
    """``rgb``, ``depth``, ``semantic_40``, ``instance``, ``orientations``; files for each camera."""

    def files(self, name: str) -> SampleFiles:
        oriented = "orientations" if self.instance_folder else None
        camera = str(PurePosixPath(name).parent)
        return SampleFiles(
            self.images(name, "png", SEMANTIC),
            orientations=self.optional(oriented, name, "json"),
            scene=self.optional("scene_class", name, "txt"),
            intrinsics=self.optional("rgb_intrinsics", camera, "json"),
        )

    def read_depth(self, path: Path) -> NDArray[np.float32]:
        """Millimetres; the largest value is a surface at least as far, not a saturated sensor."""
        return np.multiply(read_depth_counts(path), np.float32(0.001), dtype=np.float32)

    def read_instance(self, path: Path) -> NDArray[np.int32]:
        """Three channels: the class, then high and low byte of the instance."""
        channels = read_color(path).astype(np.int32)
        return channels[..., 1] * 256 + channels[..., 2]


def is_here(root: Path) -> bool:
    """Whether ``root`` looks like it: NYUv2's folder of labels, ids with folders."""
    return any((root / split / SEMANTIC).is_dir() for split in SPLITS) and "/" in first_id(root, SPLITS)


def splits(root: Path) -> tuple[str, ...]:
    """The splits that have a list."""
    return list_splits(root, SPLITS)


def open_split(root: Path, split: str, options: ViewOptions) -> FileViews:
    """One split. Raises UserError where it is missing or empty."""
    names = read_split(split_file(root, split, options.every))
    folder = root / split
    need_labels(folder / SEMANTIC)
    layout = HypersimLayout(
        root,
        split,
        code_of(NYUV2_40),
        depth_folder(folder, "depth", options.need_depth),
        instance_folder(folder, ("instance",), options),
    )
    return FileViews(prepared_info("hypersim", NYUV2_40, layout), names, layout)
