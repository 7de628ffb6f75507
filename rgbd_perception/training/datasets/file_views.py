"""Views whose images are files: one loop that reads them, finds what is wrong, and says where."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.sources.images_io import read_color, read_depth, read_ids
from rgbd_perception.training.datasets.class_lists import SCENES
from rgbd_perception.training.datasets.labels import LabelCode
from rgbd_perception.training.datasets.views import IGNORED, DataSetInfo, LabelledView

COLOR, DEPTH, SEMANTIC, INSTANCE = "color", "depth", "semantic", "instance"

Images = dict[str, NDArray[Any]]
"""Kind to decoded image."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class SampleFiles:
    """The files of one view: images by kind (any other kind than the four above is a modality), and more."""

    images: Mapping[str, Path]
    orientations: Path | None = None
    scene: Path | None = None
    intrinsics: Path | None = None


@dataclass(frozen=True)
class Layout(ABC):
    """Where the files of a view are and how they are encoded; a data set overrides what is its own."""

    root: Path
    split: str
    code: LabelCode

    @abstractmethod
    def files(self, name: str) -> SampleFiles:
        """The files of view ``name``; only those that must be there."""

    def read_depth(self, path: Path) -> NDArray[np.float32]:
        """(H, W) float32 metres, 0 = none. Raises FrameDropped, UserError."""
        return read_depth(path)

    def read_semantic(self, path: Path) -> NDArray[np.int16]:
        """(H, W) 0-based classes. Raises FrameDropped, UserError."""
        return self.code.decode(read_ids(path), str(path))

    def read_instance(self, path: Path) -> NDArray[np.int32]:
        """(H, W), 0 = none. Raises FrameDropped, UserError."""
        return read_ids(path).astype(np.int32)

    def align(self, images: Images) -> Images:
        """Bring images that are not registered to the size of color, where the data set has such."""
        return images

    def intrinsics(self, path: Path | None, shape: tuple[int, int]) -> CameraIntrinsics | None:
        """Camera of an image of ``shape`` (H, W), None where it is not known. Raises UserError."""
        return None if path is None else normalised_intrinsics(path, shape)

    def read_image(self, kind: str, path: Path) -> NDArray[Any]:
        """One image by its kind. Raises FrameDropped, UserError."""
        readers: dict[str, Callable[[Path], NDArray[Any]]] = {
            DEPTH: self.read_depth,
            SEMANTIC: self.read_semantic,
            INSTANCE: self.read_instance,
        }
        return readers.get(kind, read_color)(path)


class FileViews:
    """A split in a ``Layout`` (a LabelledViews)."""

    def __init__(self, info: DataSetInfo, names: Sequence[str], layout: Layout) -> None:
        self._info, self._names, self.layout = info, tuple(names), layout

    @property
    def info(self) -> DataSetInfo:
        """What holds for all views."""
        return self._info

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """As the split's list has it."""
        return self._names[index]

    def view(self, index: int) -> LabelledView:
        """View ``index``. Raises UserError for the first thing that is wrong with it."""
        view, problems = self.examine(index)
        if view is None:
            raise UserError(problems[0])
        return view

    def examine(self, index: int) -> tuple[LabelledView | None, list[str]]:
        """View ``index``, None where something is wrong, and everything that is: a line each."""
        problems: list[str] = []
        files = self.layout.files(self._names[index])
        images = self._read_images(files, problems)
        if COLOR not in images:
            return None, problems
        shape = (images[COLOR].shape[0], images[COLOR].shape[1])
        intrinsics = _attempt(partial(self.layout.intrinsics, files.intrinsics, shape), problems)
        orientations = _attempt(partial(_read_orientations, files.orientations), problems)
        scene = _attempt(partial(_read_scene, files.scene), problems)
        if problems or orientations is None or scene is None:
            return None, problems
        view = LabelledView(
            name=self._names[index],
            color=images.pop(COLOR),
            depth=images.pop(DEPTH, None),
            semantic=images.pop(SEMANTIC),
            instance=images.pop(INSTANCE, None),
            intrinsics=intrinsics,
            orientations=orientations,
            scene=scene,
            modalities=images,
        )
        return view, problems

    def _read_images(self, files: SampleFiles, problems: list[str]) -> Images:
        """Those that can be read, aligned; everything else becomes a line of ``problems``."""
        images: Images = {}
        for kind, path in files.images.items():
            image = _attempt(partial(self.layout.read_image, kind, path), problems)
            if image is not None:
                images[kind] = image
        if COLOR in images:
            images = self.layout.align(images)
            problems += _differing_sizes(images, files)
        return images


def normalised_intrinsics(path: Path, shape: tuple[int, int]) -> CameraIntrinsics:
    """Camera of an image of ``shape`` from a JSON file with fx, cx divided by width and fy, cy by height."""
    content = _read_json(path)
    try:
        fx, fy, cx, cy = (float(content[name]) for name in ("fx", "fy", "cx", "cy"))
        height, width = shape
        return CameraIntrinsics(fx * width, fy * height, cx * width, cy * height, width, height)
    except (KeyError, TypeError, ValueError, FrameDropped) as error:
        raise UserError(f"{path}: expected fx, fy, cx, cy divided by width and height: {error}") from None


def _attempt(read: Callable[[], Value], problems: list[str]) -> Value | None:
    try:
        return read()
    except UserError as error:
        problems.append(str(error))
    except FrameDropped as dropped:
        problems.append(dropped.detail)
    return None


def _differing_sizes(images: Images, files: SampleFiles) -> list[str]:
    wanted = images[COLOR].shape[:2]
    return [
        f"{files.images[kind]}: {kind} of {image.shape[0]}x{image.shape[1]}, "
        f"expected {wanted[0]}x{wanted[1]} as {files.images[COLOR].name}"
        for kind, image in images.items()
        if image.shape[:2] != wanted
    ]


def _read_orientations(path: Path | None) -> dict[int, float]:
    """Instance to radians."""
    if path is None:
        return {}
    try:
        return {int(instance): float(angle) for instance, angle in _read_json(path).items()}
    except (AttributeError, TypeError, ValueError):
        raise UserError(f"{path}: expected an angle in radians for each instance id") from None


def _read_scene(path: Path | None) -> int:
    """A scene that is none of ours (data sets have finer ones) is IGNORED."""
    if path is None:
        return IGNORED
    try:
        name = path.read_text(encoding="utf-8").strip().replace("_", " ")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from None
    return SCENES.index(name) if name in SCENES else IGNORED


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no JSON file: {error}") from None
