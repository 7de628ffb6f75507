"""From a camera's images to the sizes that a network takes: shrunk by whole numbers, never stretched.

A network that takes one size only gets smaller images with a margin at the right and at the bottom, so that
the position of every cell stays exact.
"""

from __future__ import annotations

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


class Fitter:
    """Brings images to the sizes of a backend. Its canvases are made once for each size."""

    def __init__(self, input_size: Size, sizes: tuple[Size, ...] | None, policy: SizePolicy) -> None:
        """``input_size``: what a network was made for; ``sizes``: what it takes, None: any."""
        if policy not in SIZE_POLICIES:
            raise UserError(f"expected the size policy {' or '.join(SIZE_POLICIES)}, got {policy!r}")
        self._input_size, self._sizes, self._policy = input_size, sizes, policy
        self._fits: dict[Size, Fit] = {}
        self._canvases: dict[tuple[Size, Size], tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}

    def fit(self, shape: Size) -> Fit:
        """For images of ``shape`` (H, W). Raises FrameDropped ``size_mismatch`` where the policy refuses."""
        if shape not in self._fits:
            self._fits[shape] = self._find(shape)
        return self._fits[shape]

    def __call__(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Images for the backend; they may be those of the caller, or valid only until the next call."""
        fit = self.fit((color.shape[0], color.shape[1]))
        if fit.factor > 1:
            color, depth = shrink_color(color, fit.factor), shrink_depth(depth, fit.factor)
        if fit.canvas is None:
            return color, depth
        size = color.shape[0], color.shape[1]
        canvases = self._canvases.get((size, fit.canvas))
        if canvases is None:
            canvases = np.empty((*fit.canvas, 3), np.uint8), np.zeros(fit.canvas, np.float32)
            canvases[0][:] = MARGIN_COLOR
            self._canvases = {(size, fit.canvas): canvases}
        canvases[0][: size[0], : size[1]] = color
        canvases[1][: size[0], : size[1]] = depth
        return canvases

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
