"""Augmentation of labelled views: one recipe for each published protocol, and that of our rooms.

A recipe is a function of a view and a random generator. ``as_published`` repeats the defects of the authors'
code; without it they are corrected.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import cv2
import numpy as np

from rgbd_perception.inference.preprocess import RGB_MEAN
from rgbd_perception.training.augment_color import ColorAugmentation, augment_color
from rgbd_perception.training.augment_depth import DepthAugmentation, augment_depth
from rgbd_perception.training.color_jitter import blur, jitter_hsv, jitter_tones
from rgbd_perception.training.crops import CropConfig, draw_window
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.modality_dropout import drop_modality
from rgbd_perception.training.view_geometry import (
    Interpolation,
    Padding,
    Window,
    cut_view,
    mirror_view,
    resize_view,
)


class Augmentation(Protocol):
    """A random change of a view. The same view and state of ``rng`` give the same result."""

    def __call__(self, view: LabelledView, rng: np.random.Generator) -> LabelledView:
        """The changed view, at the size that the network is trained with."""


@dataclass(frozen=True)
class DveformerAugmentation:
    """Of DVEFormer and EMSAFormer: larger by a random factor, a window, HSV jitter, mirrored or not.

    Offsets are in OpenCV's units: a hue of 10 is 20 degrees, although a comment of the authors says 10. Depth
    values are not changed.
    """

    kind: ClassVar[str] = "dveformer"
    size: tuple[int, int] = (480, 640)
    scale: tuple[float, float] = (1.0, 1.4)
    hue: int = 10
    saturation: int = 20
    value: int = 50
    mirror: float = 0.5

    def __call__(self, view: LabelledView, rng: np.random.Generator) -> LabelledView:
        """Images that are smaller than the window are scaled up to it."""
        fitting = max(goal / side for goal, side in zip(self.size, view.shape, strict=True))
        view = _scale(view, max(rng.uniform(*self.scale), fitting), Interpolation())
        view = cut_view(view, _random_window(view.shape, self.size, rng))
        color = jitter_hsv(view.color, self.hue, self.saturation, self.value, rng)
        return _mirror_sometimes(replace(view, color=color), self.mirror, rng)


@dataclass(frozen=True)
class GeminiAugmentation:
    """Of GeminiFusion and DiffPixelFormer, on NYUDv2, SUN RGB-D (480x480) and DeLiVER (1024x1024).

    Color jitter, mirroring, blur, and a window of the view at a random scale, where what is missing at the
    right and at the bottom is black. ``as_published``: jittered images become black where the authors' images
    are floats (not on DeLiVER, ``byte_images``), a window may start one pixel too far, and depth is
    interpolated, also across holes and edges; corrected, depth takes the nearest pixel.
    """

    kind: ClassVar[str] = "geminifusion"
    size: tuple[int, int] = (480, 640)
    scale: tuple[float, float] = (0.5, 2.0)
    jitter: float = 0.2
    factors: tuple[float, float] = (0.5, 1.5)
    mirror: float = 0.5
    blur: float = 0.2
    as_published: bool = False
    byte_images: bool = False

    def __call__(self, view: LabelledView, rng: np.random.Generator) -> LabelledView:
        color = view.color
        if rng.random() < self.jitter:
            dark = self.as_published and not self.byte_images
            color = jitter_tones(color, rng.uniform(*self.factors, 3).tolist(), dark)
        view = _mirror_sometimes(replace(view, color=color), self.mirror, rng)
        if rng.random() < self.blur:
            view = replace(view, color=blur(view.color))
        ratio = rng.uniform(*self.scale)
        depth = cv2.INTER_LINEAR if self.as_published else cv2.INTER_NEAREST
        # the authors' bound: the short side decides, unless the long one became more than four windows wide
        factor = min(
            4 * self.size[1] * ratio / max(view.shape),
            self.size[0] * ratio / min(view.shape),
        )
        view = _scale(view, factor, Interpolation(depth=depth))
        return cut_view(view, _random_window(view.shape, self.size, rng, beyond=int(self.as_published)))


@dataclass(frozen=True)
class TokenFusionAugmentation:
    """Of TokenFusion: a random scale with a smallest size, padding, mirroring, a window.

    ``as_published`` also pads depth with the mean color (in values of its files: 0.11 m), else with none.
    """

    kind: ClassVar[str] = "tokenfusion"
    size: tuple[int, int] = (500, 500)
    scale: tuple[float, float] = (0.5, 2.0)
    short_side: int = 350
    mirror: float = 0.5
    as_published: bool = False

    def __call__(self, view: LabelledView, rng: np.random.Generator) -> LabelledView:
        factor = max(rng.uniform(*self.scale), self.short_side / min(view.shape))
        view = _scale(view, factor, Interpolation(color=cv2.INTER_CUBIC))
        mean = 255.0 * np.array(RGB_MEAN)
        padding = Padding(
            (float(mean[0]), float(mean[1]), float(mean[2])),
            float(mean.mean()) / 1000.0 if self.as_published else 0.0,
        )
        view = cut_view(view, _padded(view.shape, self.size), padding)
        view = _mirror_sometimes(view, self.mirror, rng)
        return cut_view(view, _random_window(view.shape, self.size, rng))


@dataclass(frozen=True)
class RoomsAugmentation:
    """Of ``rgbd_mini``: windows around objects, the failures of real cameras, and missing modalities."""

    kind: ClassVar[str] = "rooms"
    crop: CropConfig = field(default_factory=lambda: CropConfig((240, 320), (0.6, 1.2)))
    color: ColorAugmentation = field(default_factory=ColorAugmentation)
    depth: DepthAugmentation = field(default_factory=DepthAugmentation)
    drop_depth: float = 0.1
    drop_color: float = 0.03
    mirror: float = 0.5

    def __call__(self, view: LabelledView, rng: np.random.Generator) -> LabelledView:
        objects = view.semantic + 1 if view.instance is None else view.instance
        window = Window(*draw_window(objects, self.crop, rng))
        shrinks = window.height > self.crop.size[0]
        view = cut_view(view, window)
        view = resize_view(
            view, self.crop.size, Interpolation(color=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        )
        view = _mirror_sometimes(view, self.mirror, rng)
        color = augment_color(view.color, self.color, rng)
        if view.depth is None:
            return replace(view, color=color)
        depth = augment_depth(view.depth, self.depth, rng)
        color, depth = drop_modality(color, depth, self.drop_depth, self.drop_color, rng)
        return replace(view, color=color, depth=depth)


def _scale(view: LabelledView, factor: float, interpolation: Interpolation) -> LabelledView:
    height, width = (int(side * factor + 0.5) for side in view.shape)
    return resize_view(view, (height, width), interpolation)


def _mirror_sometimes(view: LabelledView, probability: float, rng: np.random.Generator) -> LabelledView:
    return mirror_view(view) if rng.random() < probability else view


def _random_window(
    shape: tuple[int, int], size: tuple[int, int], rng: np.random.Generator, beyond: int = 0
) -> Window:
    """A window of ``size`` anywhere in an image of ``shape``, at its top left where the image is smaller.

    ``beyond``: so many pixels further than the last place that fits.
    """
    margins = [max(side - goal, 0) + beyond for side, goal in zip(shape, size, strict=True)]
    return Window(int(rng.integers(0, margins[0] + 1)), int(rng.integers(0, margins[1] + 1)), *size)


def _padded(shape: tuple[int, int], size: tuple[int, int]) -> Window:
    """A window at least of ``size`` around an image of ``shape``, which is in the middle."""
    height, width = (max(side, goal) for side, goal in zip(shape, size, strict=True))
    return Window(-((height - shape[0]) // 2), -((width - shape[1]) // 2), height, width)
