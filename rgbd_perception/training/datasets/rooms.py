"""Generated rooms as folders (``rgbd-perception synth``): one, several beside each other, or by split.

Frames lie in ``<root>``, ``<root>/<room>`` or ``<root>/<split>/<room>``; without folders of splits all frames
are the split "all".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.sources.text_files import read_intrinsics
from rgbd_perception.training.datasets.class_lists import class_list
from rgbd_perception.training.datasets.file_views import FileViews, Layout, SampleFiles
from rgbd_perception.training.datasets.labels import LabelCode
from rgbd_perception.training.datasets.options import ALL, ViewOptions
from rgbd_perception.training.datasets.own_folder import CAMERA_FILE
from rgbd_perception.training.datasets.views import DataSetInfo
from rgbd_perception.vocabulary import UNKNOWN_LABEL

SPLITS = ("train", "validation", "test")
EXPECTED_SPLITS: tuple[str, ...] = ()
_LABEL = ".label.png"
_SIZE = "480,480,320,240"


@dataclass(frozen=True)
class RoomsLayout(Layout):
    """A view's name is the path of its frame below the folder of the split."""

    instances: bool

    def files(self, name: str) -> SampleFiles:
        stem = self.root / name
        kinds = {"color": "color", "depth": "depth", "semantic": "label"}
        if self.instances:
            kinds["instance"] = "instance"
        return SampleFiles(
            {kind: stem.with_name(f"{stem.name}.{ending}.png") for kind, ending in kinds.items()},
            intrinsics=stem.with_name(CAMERA_FILE),
        )

    def intrinsics(self, path: Path | None, shape: tuple[int, int]) -> CameraIntrinsics | None:
        """The camera of the room. Raises UserError."""
        if path is None:
            return None
        try:
            return CameraIntrinsics(*read_intrinsics(path, None, _SIZE), width=shape[1], height=shape[0])
        except FrameDropped as dropped:
            raise UserError(f"{path}: {dropped.detail}") from None


def is_here(root: Path) -> bool:
    """Whether there are labelled frames."""
    return bool(splits(root))


def splits(root: Path) -> tuple[str, ...]:
    """The folders of splits with labelled frames, or ``ALL`` where frames lie in ``root`` or in its rooms."""
    there = tuple(split for split in SPLITS if _rooms(root / split))
    return there or ((ALL,) if _rooms(root) else ())


def open_split(root: Path, split: str, options: ViewOptions) -> FileViews:
    """One split. Raises UserError where it has no labelled frame, or where its rooms differ in classes."""
    folder = root if split == ALL else root / split
    rooms = _rooms(folder)
    if not rooms:
        raise UserError(f"expected frames with labels (frame-*{_LABEL}) in {folder}, found none")
    classes = _class_names(rooms[0])
    for room in rooms[1:]:
        if _class_names(room) != classes:
            raise UserError(f"{room} has other classes than {rooms[0]}: expected rooms of one version")
    names = [
        str(PurePosixPath(path.relative_to(folder))).removesuffix(_LABEL)
        for room in rooms
        for path in sorted(room.glob(f"frame-*{_LABEL}"))
    ]
    code = LabelCode(0, len(classes), frozenset({UNKNOWN_LABEL}))
    listed = class_list(classes)
    info = DataSetInfo("rooms", split, listed.names, listed.colors, listed.things)
    return FileViews(info, names, RoomsLayout(folder, split, code, options.instances))


def _rooms(folder: Path) -> list[Path]:
    """Folders with labelled frames: ``folder`` itself, or those in it."""
    if not folder.is_dir():
        return []
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path for path in (folder, *inner) if next(path.glob(f"frame-*{_LABEL}"), None)]


def _class_names(room: Path) -> tuple[str, ...]:
    path = room / "objects.json"
    try:
        return tuple(str(name) for name in json.loads(path.read_text(encoding="utf-8"))["label_names"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read the class names ('label_names') of {path}: {error}") from None
