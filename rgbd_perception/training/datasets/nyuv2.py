"""NYUv2 (Silberman et al. 2012) as prepared: 480x640, ids are 4-digit 0-based places in the .mat file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.training.datasets.class_lists import NYUV2_40
from rgbd_perception.training.datasets.file_views import FileViews, SampleFiles
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.prepared import (
    PreparedLayout,
    code_of,
    depth_folder,
    first_id,
    instance_folder,
    need_labels,
    prepared_info,
)
from rgbd_perception.training.datasets.split_files import list_splits, read_split

OFFICIAL = {"train": 795, "test": 654}
EXPECTED_SPLITS = tuple(OFFICIAL)
SEMANTIC = "semantic_40"
_SIZE = (480, 640)
_CALIBRATION = (518.857901, 519.469611, 325.582449, 253.736166)
"""fx, fy, cx, cy of the color camera by the data set's own toolbox; pixels of the whole image."""


@dataclass(frozen=True)
class Nyuv2Layout(PreparedLayout):
    """``rgb``, ``depth_raw`` or ``depth``, ``semantic_40``, ``instance``, ``orientations``."""

    def files(self, name: str) -> SampleFiles:
        oriented = "orientations" if self.instance_folder else None
        return SampleFiles(
            self.images(name, "png", SEMANTIC),
            orientations=self.optional(oriented, name, "json"),
            scene=self.optional("scene_class", name, "txt"),
        )

    def intrinsics(self, path: Path | None, shape: tuple[int, int]) -> CameraIntrinsics | None:
        """The one camera of the data set; crops of its images are refused a camera."""
        return nyu_camera(shape)


def nyu_camera(shape: tuple[int, int]) -> CameraIntrinsics | None:
    """The camera of a whole NYUv2 image, None for any other size."""
    return CameraIntrinsics(*_CALIBRATION, _SIZE[1], _SIZE[0]) if shape == _SIZE else None


def is_here(root: Path) -> bool:
    """Whether ``root`` looks like it; Hypersim, with the same folder of labels, has ids with folders."""
    known = tuple(OFFICIAL)
    labelled = any((root / split / SEMANTIC).is_dir() for split in known)
    return labelled and "/" not in first_id(root, known)


def splits(root: Path) -> tuple[str, ...]:
    """The splits that have a list."""
    return list_splits(root, tuple(OFFICIAL))


def open_split(root: Path, split: str, options: ViewOptions) -> FileViews:
    """One split. Raises UserError where it is missing or empty."""
    names = read_split(root / f"{split}.txt")
    folder = root / split
    need_labels(folder / SEMANTIC)
    layout = Nyuv2Layout(
        root,
        split,
        code_of(NYUV2_40),
        depth_folder(folder, "depth" if options.refined_depth else "depth_raw", options.need_depth),
        instance_folder(folder, ("instance",), options),
    )
    info = prepared_info("nyuv2", NYUV2_40, layout, OFFICIAL.get(split))
    return FileViews(info, names, layout)
