"""A user's own labelled images.

classes.txt               a class a line; where the first is "void", 0 in label files is none
color/<name>.png|jpg      rgb
label/<name>.png          8 or 16 bits: the place of the class in classes.txt from 0; 255 (65535) is none
depth/<name>.png          16 bits, millimetres unless told otherwise; may be left out
instance/<name>.png       0 = none; may be left out
<split>.txt               names a line; without any such file all images are the split "all"
camera-intrinsics.txt     3x3, for all images; may be left out
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.sources.text_files import read_intrinsics
from rgbd_perception.training.datasets.class_lists import ClassList, class_list
from rgbd_perception.training.datasets.file_views import FileViews, Layout, SampleFiles
from rgbd_perception.training.datasets.labels import VOID_IS_LARGEST, LabelCode
from rgbd_perception.training.datasets.list_layout import read_units
from rgbd_perception.training.datasets.options import ALL, ViewOptions
from rgbd_perception.training.datasets.split_files import read_split
from rgbd_perception.training.datasets.views import DataSetInfo

CLASSES_FILE = "classes.txt"
CAMERA_FILE = "camera-intrinsics.txt"
VOID = "void"
EXPECTED_SPLITS: tuple[str, ...] = ()
_ENDINGS = ("png", "jpg", "jpeg")


@dataclass(frozen=True)
class OwnLayout(Layout):
    """Which folders there are, and the camera of all images."""

    has_depth: bool
    has_instances: bool
    depth_units: float
    camera: tuple[float, float, float, float] | None

    def files(self, name: str) -> SampleFiles:
        colors = [self.root / "color" / f"{name}.{ending}" for ending in _ENDINGS]
        paths = {
            "color": next((path for path in colors if path.is_file()), colors[0]),
            "semantic": self.root / "label" / f"{name}.png",
        }
        if self.has_depth:
            paths["depth"] = self.root / "depth" / f"{name}.png"
        if self.has_instances:
            paths["instance"] = self.root / "instance" / f"{name}.png"
        return SampleFiles(paths)

    def read_depth(self, path: Path) -> NDArray[np.float32]:
        return read_units(path, self.depth_units)

    def intrinsics(self, path: Path | None, shape: tuple[int, int]) -> CameraIntrinsics | None:
        """The camera of the folder. Raises UserError where it cannot be that of such an image."""
        if self.camera is None:
            return None
        try:
            return CameraIntrinsics(*self.camera, width=shape[1], height=shape[0])
        except FrameDropped as dropped:
            raise UserError(f"{self.root / CAMERA_FILE}: {dropped.detail}") from None


def is_here(root: Path) -> bool:
    """Whether ``root`` has classes and color."""
    return (root / CLASSES_FILE).is_file() and (root / "color").is_dir()


def splits(root: Path) -> tuple[str, ...]:
    """The text files other than that of the classes and the camera; ``ALL`` where there are none."""
    listed = {path.stem for path in root.glob("*.txt")} - {Path(CLASSES_FILE).stem, Path(CAMERA_FILE).stem}
    return tuple(sorted(listed)) or (ALL,)


def open_split(root: Path, split: str, options: ViewOptions) -> FileViews:
    """One split. Raises UserError where it is empty, or has no labels, or no depth although it is needed."""
    classes, code = _read_classes(root / CLASSES_FILE)
    names = (
        _color_names(root) if split == ALL and splits(root) == (ALL,) else read_split(root / f"{split}.txt")
    )
    has_depth = (root / "depth").is_dir()
    if options.need_depth and not has_depth:
        raise UserError(f"expected depth images in {root / 'depth'}, there is no such folder")
    if not (root / "label").is_dir():
        raise UserError(f"expected label images in {root / 'label'}, there is no such folder")
    has_instances = options.instances and (root / "instance").is_dir()
    camera_file = root / CAMERA_FILE
    camera = read_intrinsics(camera_file, None, "585,585,320,240") if camera_file.is_file() else None
    info = DataSetInfo("folder", split, classes.names, classes.colors, classes.things, has_depth=has_depth)
    return FileViews(
        info, names, OwnLayout(root, split, code, has_depth, has_instances, options.depth_units, camera)
    )


def _color_names(root: Path) -> tuple[str, ...]:
    endings = {f".{ending}" for ending in _ENDINGS}
    names = tuple(sorted(path.stem for path in (root / "color").iterdir() if path.suffix in endings))
    if not names:
        raise UserError(f"expected PNG or JPEG images in {root / 'color'}, found none")
    return names


def _read_classes(path: Path) -> tuple[ClassList, LabelCode]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the class list {path}: {error}") from None
    names = tuple(line for line in lines if line)
    void_first = names[:1] == (VOID,)
    names = names[1:] if void_first else names
    if not names or len(set(names)) < len(names) or VOID in names:
        raise UserError(f"{path}: expected different class names, one a line, and {VOID!r} only first")
    void = VOID_IS_LARGEST if len(names) + void_first <= min(VOID_IS_LARGEST) else {max(VOID_IS_LARGEST)}
    void = void | {0} if void_first else void
    return class_list(names), LabelCode(int(void_first), len(names), frozenset(void))
