"""Ways in which the images of a camera go wrong, as pure functions of a rendered view.

With the same seed the random pattern is the same at every strength: noise grows, holes widen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbd_perception.inference.preprocess import RGB_MEAN
from rgbd_perception.training.shards import View

NOISE_DEPTH_MM = (500, 6000)
"""Where the values of a depth image of nothing but noise lie."""

MAX_MM = 65535


class Corruption(Protocol):
    """A view and the seed of what is random -> the view that the network gets; the labels stay."""

    def __call__(self, view: View, seed: int) -> View: ...


@dataclass(frozen=True)
class Unchanged:
    """The view as it was rendered, with the noise and the holes of a real sensor."""

    def __call__(self, view: View, seed: int) -> View:
        return view


@dataclass(frozen=True)
class ReplacedColor:
    """No color image but a black one, one of the mean color (0 after the normalisation), or noise."""

    by: Literal["black", "mean", "noise"]

    def __call__(self, view: View, seed: int) -> View:
        color = np.zeros_like(view.color)
        if self.by == "mean":
            color[:] = np.rint(255.0 * np.array(RGB_MEAN))
        elif self.by == "noise":
            color = np.random.default_rng(seed).integers(0, 256, color.shape, dtype=np.uint8)
        return view._replace(color=color)


@dataclass(frozen=True)
class ReplacedDepth:
    """No depth image but nothing but holes (0 after the normalisation), or noise."""

    by: Literal["holes", "noise"]

    def __call__(self, view: View, seed: int) -> View:
        depth = np.zeros_like(view.depth)
        if self.by == "noise":
            rng = np.random.default_rng(seed)
            depth = rng.integers(*NOISE_DEPTH_MM, depth.shape, dtype=np.uint16)
        return view._replace(depth=depth)


@dataclass(frozen=True)
class NoisyDepth:
    """Normal noise of every pixel that grows with the square of the distance, as by triangulation.

    ``metres`` is its standard deviation at 1 m: 0.0015 for a Kinect (Khoshelham and Elberink 2012).
    """

    metres: float

    def __call__(self, view: View, seed: int) -> View:
        noise = np.random.default_rng(seed).standard_normal(view.depth.shape, dtype=np.float32)
        distance = view.depth.astype(np.float32) / 1000.0
        noisy = view.depth + 1000.0 * self.metres * distance * distance * noise
        return view._replace(depth=np.rint(noisy.clip(0, MAX_MM)).astype(np.uint16))


@dataclass(frozen=True)
class ShiftedDepth:
    """Depth so many pixels further down and to the right (negative: up and left) than color.

    What would come from outside of the image has no depth.
    """

    rows: int = 0
    columns: int = 0

    def __call__(self, view: View, seed: int) -> View:
        shifted = np.zeros_like(view.depth)
        target = _overlap(self.rows), _overlap(self.columns)
        source = _overlap(-self.rows), _overlap(-self.columns)
        shifted[target] = view.depth[source]
        return view._replace(depth=shifted)


@dataclass(frozen=True)
class HoledDepth:
    """Depth with holes in a ``share`` of the image: patches about ``size`` pixels wide; 1: single pixels."""

    share: float
    size: int

    def __call__(self, view: View, seed: int) -> View:
        relief = _relief((view.depth.shape[0], view.depth.shape[1]), self.size, seed)
        hole = relief < np.quantile(relief, self.share)
        return view._replace(depth=np.where(hole, 0, view.depth).astype(np.uint16))


def _overlap(shift: int) -> slice:
    """Along one side, where a shifted image and what it is pasted into meet."""
    return slice(max(shift, 0), min(shift, 0) or None)


def _relief(shape: tuple[int, int], size: int, seed: int) -> NDArray[np.float32]:
    """A random landscape (H, W) with hills about ``size`` pixels wide."""
    coarse = -(-shape[0] // size), -(-shape[1] // size)
    heights = np.random.default_rng(seed).random(coarse, dtype=np.float32)
    if size == 1:
        return heights
    return np.asarray(cv2.resize(heights, shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32)
