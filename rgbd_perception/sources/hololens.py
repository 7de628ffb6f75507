"""Folders in the layout of deep-video-mvs' HoloLens sequences: ``images/ depth/ poses.txt K.txt``.

``images/NAME.png`` and ``depth/NAME.png`` (uint16 millimetres, 0 = none) go together by name, ``poses.txt``
has one line of 16 numbers (4x4 camera to world, row by row) for every image in sorted order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.sources.base import RecordedSource, camera_of_image
from rgbd_perception.sources.images_io import limit_depth, read_color, read_depth
from rgbd_perception.sources.options import SourceOptions
from rgbd_perception.sources.text_files import parse_matrix_pose, read_intrinsics

_COLOR_ENDINGS = (".png", ".jpg", ".jpeg")


def is_hololens(folder: Path) -> bool:
    """Whether the folder has the two folders of images and the poses."""
    return (folder / "images").is_dir() and (folder / "depth").is_dir() and (folder / "poses.txt").is_file()


class HololensSource(RecordedSource):
    """A folder in this layout. Raises UserError for unusable intrinsics and poses that belong to no image."""

    def __init__(self, folder: Path, options: SourceOptions) -> None:
        super().__init__(str(folder), options)
        self._folder = folder
        self._intrinsics = read_intrinsics(folder / "K.txt", options.intrinsics, "495.6,495.5,269.5,169.2")
        text = (folder / "poses.txt").read_text(encoding="utf-8", errors="replace")
        self._poses = [line for line in text.splitlines() if line.strip()]
        self._names = _frame_names(folder, len(self._poses))

    def __len__(self) -> int:
        return len(self._names)

    def load(self, index: int) -> RgbdFrame:
        """Image ``index`` in sorted order, with its depth and pose. Raises FrameDropped."""
        name = self._names[index]
        if index >= len(self._poses):
            raise FrameDropped("pose_missing", f"poses.txt ends before {name}")
        pose = parse_matrix_pose(self._poses[index], f"poses.txt, line {index + 1}")
        paths = [self._folder / "images" / f"{name}{ending}" for ending in _COLOR_ENDINGS]
        color = read_color(next((path for path in paths if path.is_file()), paths[0]))
        encoding = "mm" if self.options.depth_encoding == "auto" else self.options.depth_encoding
        depth = read_depth(self._folder / "depth" / f"{name}.png", encoding)
        return RgbdFrame(
            color=color,
            depth=limit_depth(depth, self.options.max_depth),
            intrinsics=camera_of_image(self._intrinsics, color),
            stamp_ns=round(index * 1e9 / self.options.rate),
            frame_id="camera",
            pose=pose,
        )


def _frame_names(folder: Path, pose_count: int) -> list[str]:
    """Names of the frames in the order of the poses, those included that lost one or both images.

    Poses and images are only tied together by their order. A frame without any image leaves a gap in regular
    numbers, which is filled; where more poses than frames remain, nobody can tell which belong together.
    """
    files = [*(folder / "images").iterdir(), *(folder / "depth").iterdir()]
    names = sorted({path.stem for path in files if path.suffix in _COLOR_ENDINGS})
    if len(names) < pose_count:
        names = _fill_gaps(names)
    if len(names) < pose_count:
        raise UserError(
            f"expected as many poses as images in {folder}, poses.txt has {pose_count} lines for "
            f"{len(names)} images: remove the lines of the images that are missing"
        )
    return names


def _fill_gaps(names: list[str]) -> list[str]:
    """Names that are numbers in regular steps, with the missing ones put in; others as they are."""
    if len(names) < 3 or not all(name.isdecimal() for name in names):
        return names
    numbers = np.array([int(name) for name in names])
    step = int(np.median(np.diff(numbers)))
    if step <= 0 or np.any(np.diff(numbers) % step):
        return names
    width = len(names[0])
    return [f"{number:0{width}d}" for number in range(numbers[0], numbers[-1] + step, step)]
