"""Color augmentation as the published networks were trained with."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_GRAY = np.array([[0.2989, 0.587, 0.114]], np.float32)
_HUES = 180
"""OpenCV's full circle: a unit is two degrees."""
_BLUR_SIGMA = 0.8
"""torchvision's for a kernel of three pixels."""


def jitter_hsv(
    color: NDArray[np.uint8], hue: int, saturation: int, value: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Whole random offsets from -x up to x - 1 of OpenCV's hue, saturation and value (EMSANet, DVEFormer).

    Hue goes round, the others are clipped. color (H, W, 3) uint8 rgb.
    """
    offsets = [int(rng.integers(-limit, limit)) for limit in (hue, saturation, value)]
    hsv = cv2.cvtColor(color, cv2.COLOR_RGB2HSV)
    steps = np.arange(256)
    tables = [(steps + offsets[0]) % _HUES, *(np.clip(steps + offset, 0, 255) for offset in offsets[1:])]
    changed = cv2.LUT(hsv, np.stack(tables, axis=-1).astype(np.uint8)[None])
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), dtype=np.uint8)


def jitter_tones(
    color: NDArray[np.uint8], factors: Sequence[float], as_published: bool = False
) -> NDArray[np.uint8]:
    """Brightness, contrast and saturation times ``factors`` (GeminiFusion, DiffPixelFormer).

    As in torchvision: away from black, from the mean grey of the image, and from the grey of the pixel.
    ``as_published`` repeats the defect of the authors' code, which clamps values of 0..255 to 0..1: the image
    becomes nearly black. color (H, W, 3) uint8 rgb.
    """
    brightness, contrast, saturation = (np.float32(factor) for factor in factors)
    top = 1.0 if as_published else 255.0
    image = np.clip(color * brightness, 0.0, top)
    image = np.clip(contrast * image + (1 - contrast) * _gray(image).mean(), 0.0, top)
    image = np.clip(saturation * image + (1 - saturation) * _gray(image)[..., None], 0.0, top)
    return np.rint(image).astype(np.uint8)


def blur(color: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gaussian blur over 3x3 pixels."""
    return np.asarray(cv2.GaussianBlur(color, (3, 3), _BLUR_SIGMA), dtype=np.uint8)


def _gray(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.transform(image, _GRAY), dtype=np.float32)
