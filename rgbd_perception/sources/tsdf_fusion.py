"""Folders in the layout of 7-Scenes and tsdf-fusion, with the ground truth that our own generator adds.

``camera-intrinsics.txt`` (3x3), and for every frame ``frame-%06d.color.png`` (or jpg), ``.depth.png``
(uint16 millimetres; 0 and 65535 = none), ``.pose.txt`` (4x4 camera to world; 7-Scenes marks lost tracking by
numbers that are not finite), and where there are any ``.stamp.txt`` (seconds), ``.label.png`` and
``.instance.png`` (uint16).
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.sources.base import FrameTruth, RecordedSource, camera_of_image
from rgbd_perception.sources.images_io import limit_depth, read_color, read_depth, read_ids
from rgbd_perception.sources.options import UP_CHOICES, SourceOptions
from rgbd_perception.sources.text_files import parse_matrix_pose, parse_seconds, read_intrinsics

_FRAME_FILE = re.compile(r"frame-(\d+)\.(color\.png|color\.jpg|color\.jpeg|depth\.png|pose\.txt)")


def is_tsdf_fusion(folder: Path) -> bool:
    """Whether the folder has any file of a frame."""
    return any(_FRAME_FILE.fullmatch(path.name) for path in folder.glob("frame-*"))


class TsdfFusionSource(RecordedSource):
    """A folder in this layout. A number that has any of its files is a frame; gaps in the numbering are not.

    Raises UserError where the intrinsics are missing or unusable.
    """

    def __init__(self, folder: Path, options: SourceOptions) -> None:
        super().__init__(str(folder), options)
        self._folder = folder
        self._intrinsics = read_intrinsics(
            folder / "camera-intrinsics.txt", options.intrinsics, "585,585,320,240 of 7-Scenes"
        )
        matches = (_FRAME_FILE.fullmatch(path.name) for path in folder.glob("frame-*"))
        # The digits are kept as text, so that frame-000012 and frame-12 are both found again.
        digits = {match[1] for match in matches if match}
        self._numbers = sorted(digits, key=lambda number: (int(number), number))

    def __len__(self) -> int:
        return len(self._numbers)

    def load(self, index: int) -> RgbdFrame:
        """Frame ``index`` in the order of the numbers. Raises FrameDropped."""
        pose = self._pose(index)
        color = read_color(self._color_path(index))
        depth = read_depth(self._path(index, "depth.png"), _depth_encoding(self.options))
        return RgbdFrame(
            color=color,
            depth=limit_depth(depth, self.options.max_depth),
            intrinsics=camera_of_image(self._intrinsics, color),
            stamp_ns=self._stamp(index),
            frame_id="camera",
            pose=pose,
        )

    def truth(self, index: int) -> FrameTruth | None:
        """Labels and instances of frame ``index``, None where the folder has none. Raises FrameDropped."""
        label, instance = self._path(index, "label.png"), self._path(index, "instance.png")
        if not (label.is_file() and instance.is_file()):
            return None
        return FrameTruth(label=read_ids(label), instance=read_ids(instance))

    def stated_up(self) -> str | None:
        """What ``objects.json`` of the generator says, if it is there."""
        up = self._objects.get("up")
        return up if up in UP_CHOICES else None

    @cached_property
    def _objects(self) -> dict[str, object]:
        try:
            content = json.loads((self._folder / "objects.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _path(self, index: int, kind: str) -> Path:
        return self._folder / f"frame-{self._numbers[index]}.{kind}"

    def _color_path(self, index: int) -> Path:
        paths = [self._path(index, f"color.{ending}") for ending in ("png", "jpg", "jpeg")]
        return next((path for path in paths if path.is_file()), paths[0])

    def _pose(self, index: int) -> NDArray[np.float64]:
        path = self._path(index, "pose.txt")
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise FrameDropped("pose_missing", f"{path} does not exist") from None
        except (OSError, UnicodeDecodeError) as error:
            raise FrameDropped("pose_invalid", f"{path}: {error}") from None
        return parse_matrix_pose(text, str(path))

    def _stamp(self, index: int) -> int:
        path = self._path(index, "stamp.txt")
        if not path.is_file():
            return round(index * 1e9 / self.options.rate)
        try:
            return parse_seconds(path.read_text(encoding="utf-8").strip())
        except (OSError, ValueError) as error:
            raise FrameDropped("stamp_invalid", f"{path}: {error}") from None


def _depth_encoding(options: SourceOptions) -> str:
    return "mm" if options.depth_encoding == "auto" else options.depth_encoding
