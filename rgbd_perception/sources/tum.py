"""Folders of the TUM RGB-D benchmark (Sturm et al. 2012): ``rgb.txt``, ``depth.txt``, ``groundtruth.txt``.

Listings of "seconds file" and "seconds x y z qx qy qz qw"; depth in 5000 units a metre, registered to color.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.sources.association import pair_nearest
from rgbd_perception.sources.base import RecordedSource, camera_of_image
from rgbd_perception.sources.images_io import limit_depth, read_color, read_depth
from rgbd_perception.sources.options import SourceOptions
from rgbd_perception.sources.text_files import read_intrinsics, read_stamped_lines
from rgbd_perception.sources.trajectory import Trajectory

_INTRINSICS_EXAMPLE = (
    "517.3,516.5,318.6,255.3 for freiburg1, 520.9,521.0,325.1,249.7 for freiburg2, "
    "535.4,539.2,320.1,247.6 for freiburg3"
)


def is_tum(folder: Path) -> bool:
    """Whether the folder has the two listings of images."""
    return (folder / "rgb.txt").is_file() and (folder / "depth.txt").is_file()


class TumSource(RecordedSource):
    """A folder in this layout; every color image is a frame, paired with the nearest depth within the slop.

    The data set keeps its intrinsics on its web page, so they are an option (or a 3x3 matrix in
    ``camera-intrinsics.txt``). Raises UserError where they, a listing or the poses are missing.
    """

    def __init__(self, folder: Path, options: SourceOptions) -> None:
        super().__init__(str(folder), options)
        self._folder = folder
        self._intrinsics = read_intrinsics(
            folder / "camera-intrinsics.txt", options.intrinsics, _INTRINSICS_EXAMPLE
        )
        self._color_stamps, self._color_files = _read_listing(folder / "rgb.txt")
        depth_stamps, depth_files = _read_listing(folder / "depth.txt")
        partners = pair_nearest(self._color_stamps, depth_stamps, round(options.slop * 1e9))
        self._depth_files = [depth_files[partner] if partner >= 0 else None for partner in partners]
        self._trajectory = _read_trajectory(folder / "groundtruth.txt", options.max_pose_gap)

    def __len__(self) -> int:
        return len(self._color_files)

    @cached_property
    def frame_rate(self) -> float:
        """Frames a second by the stamps of the color images."""
        return median_rate(self._color_stamps, self.options.rate)

    def load(self, index: int) -> RgbdFrame:
        """Color image ``index`` with its depth and pose. Raises FrameDropped."""
        depth_file = self._depth_files[index]
        if depth_file is None:
            raise FrameDropped("depth_missing", f"no depth image within {self.options.slop} s")
        stamp_ns = int(self._color_stamps[index])
        pose = self._trajectory.at(stamp_ns)
        color = read_color(self._folder / self._color_files[index])
        encoding = "tum" if self.options.depth_encoding == "auto" else self.options.depth_encoding
        depth = read_depth(self._folder / depth_file, encoding)
        return RgbdFrame(
            color=color,
            depth=limit_depth(depth, self.options.max_depth),
            intrinsics=camera_of_image(self._intrinsics, color),
            stamp_ns=stamp_ns,
            frame_id="camera",
            pose=pose,
        )


def median_rate(stamps_ns: NDArray[np.int64], default: float) -> float:
    """Frames a second by the median distance of sorted stamps; ``default`` where that says nothing."""
    gaps = np.diff(stamps_ns)
    gaps = gaps[gaps > 0]
    return float(1e9 / np.median(gaps)) if len(gaps) else default


def _read_listing(path: Path) -> tuple[NDArray[np.int64], list[str]]:
    lines = read_stamped_lines(path, fields=1)
    return np.array([stamp for stamp, _ in lines], dtype=np.int64), [fields[0] for _, fields in lines]


def _read_trajectory(path: Path, max_gap_s: float) -> Trajectory:
    if not path.is_file():
        raise UserError(f"expected the camera poses in {path}, there is no such file")
    lines = read_stamped_lines(path, fields=7)
    try:
        poses = [[float(field) for field in fields[:7]] for _, fields in lines]
    except ValueError as error:
        raise UserError(f"expected lines 'seconds x y z qx qy qz qw' in {path}: {error}") from None
    return Trajectory([stamp for stamp, _ in lines], poses, max_gap_s)
