"""ScanNet (Dai et al. 2017) as prepared: depth is 480x640 and not registered to color; refined labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.class_lists import SCANNET_20, SCANNET_40
from rgbd_perception.training.datasets.file_views import COLOR, DEPTH, FileViews, Images, SampleFiles
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.prepared import (
    PreparedLayout,
    code_of,
    depth_folder,
    instance_folder,
    need_labels,
    prepared_info,
    split_file,
)
from rgbd_perception.training.datasets.split_files import read_split

OFFICIAL_SCENES = {"train": 1201, "valid": 312, "test": 100}
EXPECTED_SPLITS = ("train", "valid")
"""The labels of the test split are secret."""

CLASSES = {20: SCANNET_20, 40: SCANNET_40}
EVERY = (1, 50, 100, 200, 500)
"""Split files that the preparation writes."""


@dataclass(frozen=True)
class ScanNetLayout(PreparedLayout):
    """``rgb`` as JPEG, ``depth``, ``semantic_refined_*``, ``instance_refined``; cameras for each scene."""

    def files(self, name: str) -> SampleFiles:
        scene = str(PurePosixPath(name).parent)
        return SampleFiles(
            self.images(name, "jpg", f"semantic_refined_{self.code.count}"),
            scene=self.optional("scene_class", scene, "txt"),
            intrinsics=self.optional("rgb_intrinsics", scene, "json"),
        )

    def align(self, images: Images) -> Images:
        """Depth is resized as it is, as its authors do: the two cameras are a few centimetres apart."""
        if DEPTH in images:
            height, width = images[COLOR].shape[:2]
            resized = cv2.resize(images[DEPTH], (width, height), interpolation=cv2.INTER_NEAREST)
            images[DEPTH] = np.asarray(resized, dtype=np.float32)
        return images


def is_here(root: Path) -> bool:
    """Whether ``root`` looks like it: refined labels."""
    return any(any((root / split).glob("semantic_refined_*")) for split in OFFICIAL_SCENES)


def splits(root: Path) -> tuple[str, ...]:
    """The splits that have a list."""
    known = tuple(OFFICIAL_SCENES)
    return tuple(split for split in known if any(split_file(root, split, every).is_file() for every in EVERY))


def open_split(root: Path, split: str, options: ViewOptions) -> FileViews:
    """One split. Raises UserError where it is missing or empty, or where its classes are not known."""
    count = options.classes or 40
    if count not in CLASSES:
        raise UserError(
            f"expected 20 or 40 classes of ScanNet, got {count}: the names of others are not known"
        )
    names = read_split(split_file(root, split, options.every))
    folder = root / split
    need_labels(folder / f"semantic_refined_{count}")
    layout = ScanNetLayout(
        root,
        split,
        code_of(CLASSES[count]),
        depth_folder(folder, "depth", options.need_depth),
        instance_folder(folder, ("instance_refined",), options),
    )
    info = prepared_info("scannet", CLASSES[count], layout, scenes=OFFICIAL_SCENES.get(split))
    return FileViews(info, names, layout)
