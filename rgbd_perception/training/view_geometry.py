"""Resizing, cutting and mirroring a labelled view: all its images, its camera and its angles together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.training.datasets.views import IGNORED, LabelledView

Image = NDArray[Any]
AnyImage = TypeVar("AnyImage", bound=Image)


@dataclass(frozen=True)
class Window:
    """A part of an image in pixels; it may reach over the edges."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Interpolation:
    """OpenCV's names for how images are resized; labels always take the nearest pixel."""

    color: int = cv2.INTER_LINEAR
    depth: int = cv2.INTER_NEAREST


@dataclass(frozen=True)
class Padding:
    """What is outside of an image; labels have none there."""

    color: tuple[float, float, float] = (0.0, 0.0, 0.0)
    depth: float = 0.0


def resize_view(
    view: LabelledView, size: tuple[int, int], interpolation: Interpolation = Interpolation()
) -> LabelledView:
    """The view at ``size`` (H, W). Depth stays metric."""

    def resized(image: AnyImage, how: int) -> AnyImage:
        return cv2.resize(image, size[::-1], interpolation=how)  # type: ignore[return-value]

    return _map_images(
        view,
        color=lambda image: resized(image, interpolation.color),
        depth=lambda image: resized(image, interpolation.depth),
        labels=lambda image, _: resized(image, cv2.INTER_NEAREST),
        camera=lambda camera: _resized_camera(camera, size),
    )


def cut_view(view: LabelledView, window: Window, padding: Padding = Padding()) -> LabelledView:
    """The part of a view in ``window``; outside of the view it has ``padding`` and no labels."""
    return _map_images(
        view,
        color=lambda image: _cut(image, window, padding.color),
        depth=lambda image: _cut(image, window, padding.depth),
        labels=lambda image, none: _cut(image, window, none),
        camera=lambda camera: replace(
            camera,
            cx=camera.cx - window.left,
            cy=camera.cy - window.top,
            width=window.width,
            height=window.height,
        ),
    )


def mirror_view(view: LabelledView) -> LabelledView:
    """Left and right exchanged. What points to the left at an angle then points to the right."""
    mirrored = _map_images(
        view,
        color=_mirror,
        depth=_mirror,
        labels=lambda image, _: _mirror(image),
        camera=lambda camera: replace(camera, cx=camera.width - 1 - camera.cx),
    )
    orientations = {key: -angle % math.tau for key, angle in view.orientations.items()}
    return replace(mirrored, orientations=orientations)


def _map_images(
    view: LabelledView,
    color: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    depth: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    labels: Callable[[Image, int], Image],
    camera: Callable[[CameraIntrinsics], CameraIntrinsics],
) -> LabelledView:
    """``view`` with every image changed; ``labels`` also gets the value that means none."""
    return replace(
        view,
        color=color(view.color),
        depth=None if view.depth is None else depth(view.depth),
        semantic=labels(view.semantic, IGNORED),
        instance=None if view.instance is None else labels(view.instance, 0),
        segments=None if view.segments is None else labels(view.segments, 0),
        modalities={name: color(image) for name, image in view.modalities.items()},
        intrinsics=None if view.intrinsics is None else camera(view.intrinsics),
    )


def _mirror(image: AnyImage) -> AnyImage:
    return np.ascontiguousarray(image[:, ::-1])  # type: ignore[return-value]


def _cut(image: Image, window: Window, fill: float | tuple[float, ...]) -> Image:
    height, width = image.shape[:2]
    top, bottom = np.clip((window.top, window.top + window.height), 0, height)
    left, right = np.clip((window.left, window.left + window.width), 0, width)
    inside = image[top:bottom, left:right]
    if inside.shape[:2] == (window.height, window.width):
        return np.ascontiguousarray(inside)
    whole = np.empty((window.height, window.width, *image.shape[2:]), image.dtype)
    whole[:] = fill
    if inside.size:
        whole[top - window.top : bottom - window.top, left - window.left : right - window.left] = inside
    return whole


def _resized_camera(camera: CameraIntrinsics, size: tuple[int, int]) -> CameraIntrinsics:
    """Pixel centres are whole numbers, so the edge of the image is at -0.5."""
    rows, columns = size[0] / camera.height, size[1] / camera.width
    return CameraIntrinsics(
        fx=camera.fx * columns,
        fy=camera.fy * rows,
        cx=(camera.cx + 0.5) * columns - 0.5,
        cy=(camera.cy + 0.5) * rows - 0.5,
        width=size[1],
        height=size[0],
    )
