"""Random windows of a view, resized to the size of the training phase."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbd_perception.training.shards import View

OBJECT_CENTERED = 0.7
"""Share of windows placed around a random object: small things would otherwise hardly be seen."""

ASPECT_JITTER = 1.12


@dataclass(frozen=True)
class CropConfig:
    """Size of the network's input and the range of zooms: output pixels for each pixel of the view."""

    size: tuple[int, int]
    zoom: tuple[float, float]


def random_crop(view: View, config: CropConfig, rng: np.random.Generator) -> View:
    """A window of ``view`` at ``config.size``, mirrored in half of the cases.

    Color is averaged or interpolated, depth and rows take the nearest pixel, so that no value is invented.
    Depth stays metric: another zoom looks like a camera with another focal length.
    """
    top, left, height, width = draw_window(view.rows, config, rng)
    cut = (slice(top, top + height), slice(left, left + width))
    width_height = config.size[::-1]
    shrinks = height > config.size[0]
    color = cv2.resize(
        np.ascontiguousarray(view.color[cut]),
        width_height,
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    pick = _nearest((height, width), config.size)
    depth, rows = np.asarray(view.depth[cut])[pick], np.asarray(view.rows[cut])[pick]
    if rng.random() < 0.5:
        color, depth, rows = color[:, ::-1], depth[:, ::-1], rows[:, ::-1]
    return View(color.astype(np.uint8), depth, rows)


def draw_window(
    objects: NDArray[np.integer], config: CropConfig, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a random window of ``objects`` (H, W), ids of objects with 0 = none."""
    size = _window_size(objects.shape, config, rng)
    return (*_place(objects, size, rng), *size)


def _window_size(shape: tuple[int, ...], config: CropConfig, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width in pixels of the view, never larger than the view."""
    zoom = np.exp(rng.uniform(*np.log(config.zoom)))
    stretch = np.exp(rng.uniform(-1, 1) * np.log(ASPECT_JITTER) / 2)
    height = min(shape[0], round(config.size[0] / zoom * stretch))
    width = min(shape[1], round(config.size[1] / zoom / stretch))
    return max(height, 1), max(width, 1)


def _place(rows: NDArray[np.integer], window: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Top left corner of the window: anywhere, or so that a pixel of a random object is inside."""
    space = (rows.shape[0] - window[0], rows.shape[1] - window[1])
    corner = (int(rng.integers(0, space[0] + 1)), int(rng.integers(0, space[1] + 1)))
    if rng.random() >= OBJECT_CENTERED or not any(space):
        return corner
    coarse = np.asarray(rows[::4, ::4])
    objects = np.unique(coarse[coarse > 0])
    if not len(objects):
        return corner
    ys, xs = np.nonzero(coarse == rng.choice(objects))
    pixel = int(rng.integers(0, len(ys)))
    inside = rng.uniform(0.2, 0.8, 2)
    center = (4 * ys[pixel] - inside[0] * window[0], 4 * xs[pixel] - inside[1] * window[1])
    return int(np.clip(center[0], 0, space[0])), int(np.clip(center[1], 0, space[1]))


def _nearest(source: tuple[int, int], target: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Open mesh of the source pixels nearest to the centres of the target's pixels."""
    axes = [
        np.minimum(((np.arange(goal) + 0.5) * size / goal).astype(np.intp), size - 1)
        for size, goal in zip(source, target, strict=True)
    ]
    y, x = np.ix_(*axes)
    return y, x
