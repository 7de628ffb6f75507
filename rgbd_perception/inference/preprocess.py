"""From a camera's images to a network's inputs; training and inference share these functions.

Images are reduced by an integer factor, so that the aspect ratio and the position of the grid stay exact:
cell (i, j) of the output covers the color pixels from ``i * stride`` to ``(i + 1) * stride``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

MAX_DEPTH = 20.0
"""Metres; what an RGB-D camera reports beyond is noise or a marker for "nothing", and counts as missing."""

RGB_MEAN = (0.485, 0.456, 0.406)
RGB_STD = (0.229, 0.224, 0.225)
"""ImageNet statistics for color in 0..1, as in the published networks."""


def downscale_factor(shape: tuple[int, int], input_size: tuple[int, int]) -> int:
    """Integer factor that brings an image (H, W) closest to the area of ``input_size`` (H, W); at least 1."""
    return max(1, round(math.sqrt(shape[0] * shape[1] / (input_size[0] * input_size[1]))))


def clean_depth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depth in metres with 0 for everything that is no measurement: NaN, inf, negative, beyond MAX_DEPTH."""
    return np.where((depth > 0) & (depth <= MAX_DEPTH), depth, np.float32(0))


def shrink_color(color: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """(H, W, 3) -> (ceil(H / factor), ceil(W / factor), 3), means of factor x factor pixels."""
    if factor == 1:
        return color
    height, width = color.shape[:2]
    padding = ((0, -height % factor), (0, -width % factor), (0, 0))
    whole = np.pad(color, padding, mode="edge") if height % factor or width % factor else color
    size = whole.shape[1] // factor, whole.shape[0] // factor
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def shrink_depth(depth: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """(H, W) -> (ceil(H / factor), ceil(W / factor)): in each block the valid pixel nearest to its centre.

    Never a mean, which would invent surfaces between foreground and background. What is not valid, see
    ``clean_depth``, counts as missing; so does a block without a valid pixel, with 0.
    """
    if factor == 1:
        return clean_depth(depth)
    from rgbd_perception.inference.depth_blocks import pick_depth  # numba: not for who shrinks nothing

    return pick_depth(depth, factor, MAX_DEPTH)


def normalize(color: Tensor, depth: Tensor, depth_mean: float, depth_std: float) -> tuple[Tensor, Tensor]:
    """Color (B, H, W, 3) uint8 and depth (B, H, W) metres -> float32 inputs (B, 3, H, W) and (B, 1, H, W).

    Missing depth (0) is 0 after the normalisation too: it looks like the mean depth, as in the published
    networks. The results are in channels-last memory.
    """
    import torch

    mean = torch.tensor([255.0 * value for value in RGB_MEAN], device=color.device)
    scale = torch.tensor([1.0 / (255.0 * value) for value in RGB_STD], device=color.device)
    rgb = (color.to(torch.float32) - mean) * scale
    normed = torch.where(depth > 0, (depth - depth_mean) / depth_std, 0.0)
    return rgb.permute(0, 3, 1, 2), normed.unsqueeze(1)


def pad_to_multiple(x: Tensor, multiple: int, min_size: int = 1) -> Tensor:
    """Zeros at the right and at the bottom of (B, C, H, W), up to a multiple of ``multiple``.

    Height and width of the result are at least ``min_size``.
    """
    from torch.nn import functional as F

    missing = [-(-max(side, min_size) // multiple) * multiple - side for side in x.shape[2:]]
    return F.pad(x, (0, missing[1], 0, missing[0])) if any(missing) else x
