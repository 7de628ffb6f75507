"""From a camera's images to the sizes that a network takes: shrunk by whole numbers, never stretched.

A network that takes one size only gets smaller images with a margin at the right and at the bottom, so that
the position of every cell stays exact.
"""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.inference.preprocess import (
    RGB_MEAN,
    downscale_factor,
    shrink_color,
    shrink_depth,
)

SizePolicy = Literal["letterbox", "reject"]
SIZE_POLICIES: tuple[SizePolicy, ...] = ("letterbox", "reject")
"""Frames of a size that a network cannot take get a margin, or are dropped as ``size_mismatch``."""

MARGIN_COLOR = np.array([round(255 * value) for value in RGB_MEAN], np.uint8)
"""Zero after the normalisation, as the padding of the networks."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Fit:
    """Images are shrunk by ``factor`` and put into a canvas (H, W) where they are smaller than that."""

    factor: int
    canvas: Size | None


@dataclass(frozen=True, eq=False)
class FittedImages:
    """Images for a backend, and how they were fitted.

    They may be those of the caller; else nobody writes to them as long as this object is held.
    """

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    fit: Fit


class Fitter:
    """Brings images to the sizes of a backend. Several threads may call it at a time."""

    def __init__(self, input_size: Size, sizes: tuple[Size, ...] | None, policy: SizePolicy) -> None:
        """``input_size``: what a network was made for; ``sizes``: what it takes, None: any."""
        if policy not in SIZE_POLICIES:
            raise UserError(f"expected the size policy {' or '.join(SIZE_POLICIES)}, got {policy!r}")
        self._input_size, self._sizes, self._policy = input_size, sizes, policy
        self._fits: dict[Size, Fit] = {}
        self._canvases = _Canvases((0, 0), Fit(1, (0, 0)))

    def fit(self, shape: Size) -> Fit:
        """For images of ``shape`` (H, W). Raises FrameDropped ``size_mismatch`` where the policy refuses."""
        if shape not in self._fits:
            self._fits[shape] = self._find(shape)
        return self._fits[shape]

    def __call__(self, color: NDArray[np.uint8], depth: NDArray[np.float32]) -> FittedImages:
        """Images (H, W, 3) and (H, W) for the backend. Raises FrameDropped like ``fit``."""
        fit = self.fit((color.shape[0], color.shape[1]))
        if fit.factor > 1:
            color, depth = shrink_color(color, fit.factor), shrink_depth(depth, fit.factor)
        if fit.canvas is None:
            return FittedImages(color, depth, fit)
        size = color.shape[0], color.shape[1]
        canvases = self._canvases
        if (canvases.size, canvases.fit) != (size, fit):
            canvases = self._canvases = _Canvases(size, fit)
        return canvases.place(color, depth)

    def _find(self, shape: Size) -> Fit:
        factor = downscale_factor(shape, self._input_size)
        if self._sizes is None:
            return Fit(factor, None)
        while True:
            size = -(-shape[0] // factor), -(-shape[1] // factor)
            if size in self._sizes:
                return Fit(factor, None)
            if self._policy == "reject":
                taken = " or ".join(f"{height}x{width}" for height, width in self._sizes)
                raise FrameDropped(
                    "size_mismatch",
                    f"images of {shape[0]}x{shape[1]} become {size[0]}x{size[1]}, the network takes {taken}: "
                    "export it for that size, or allow margins (letterbox)",
                )
            canvases = [s for s in self._sizes if s[0] >= size[0] and s[1] >= size[1]]
            if canvases:
                return Fit(factor, min(canvases, key=lambda s: s[0] * s[1]))
            factor += 1


class _Canvases:
    """Canvases with a margin around images of ``size``, as many as are held at a time: a frame that runs, one
    that waits for its turn, one that is being prepared.
    """

    def __init__(self, size: Size, fit: Fit) -> None:
        self.size, self.fit = size, fit
        self._free: deque[tuple[NDArray[np.uint8], NDArray[np.float32]]] = deque()

    def place(self, color: NDArray[np.uint8], depth: NDArray[np.float32]) -> FittedImages:
        """The images on a canvas, which is free again when the result is gone."""
        try:
            canvas = self._free.pop()
        except IndexError:
            canvas = self._make()
        canvas[0][: self.size[0], : self.size[1]] = color
        canvas[1][: self.size[0], : self.size[1]] = depth
        images = FittedImages(*canvas, self.fit)
        weakref.finalize(images, self._free.append, canvas)
        return images

    def _make(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        assert self.fit.canvas is not None
        color = np.empty((*self.fit.canvas, 3), np.uint8)
        color[:] = MARGIN_COLOR
        return color, np.zeros(self.fit.canvas, np.float32)
