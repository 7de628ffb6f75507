"""From the maps of an instance head to centres, and from pixels to the nearest of them.

As published for EMSANet and EMSAFormer (arXiv:2207.04526, arXiv:2306.05242), after Panoptic-DeepLab.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 65536
"""Pixels whose distances to all centres are held at once."""

NO_INSTANCE = -1


@dataclass(frozen=True)
class InstanceConfig:
    """``threshold`` of the heat map; ``window`` in pixels (odd) in which a centre is the highest.

    At most ``max_centers`` are kept, the highest first. A pixel whose offset points further than
    ``max_distance`` pixels past every centre belongs to none; None: no limit.
    """

    threshold: float = 0.1
    window: int = 17
    max_centers: int = 64
    max_distance: float | None = None


@dataclass(frozen=True)
class Centers:
    """Pixels (K, 2), row and column, and the values (K,) of the heat map there, highest first."""

    pixels: Tensor
    scores: Tensor


def find_centers(center: Tensor, config: InstanceConfig) -> Centers:
    """Peaks of a heat map (H, W); none nearer to the border than half of the window.

    Of equal values in a window the first in raster order counts.
    """
    height, width = center.shape
    margin = config.window // 2
    if min(height, width) < config.window:
        return Centers(torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0))
    heat = center.float()
    highest, place = F.max_pool2d(heat[None, None], config.window, stride=1, return_indices=True)
    raster = torch.arange(height * width, device=center.device).view(height, width)
    own = raster[margin : height - margin, margin : width - margin]
    peaks = own[(place[0, 0] == own) & (highest[0, 0] > config.threshold)]
    scores, order = heat.flatten()[peaks].sort(descending=True, stable=True)
    peaks = peaks[order][: config.max_centers]
    pixels = torch.stack((peaks // width, peaks % width), dim=1)
    return Centers(pixels, scores[: config.max_centers])


def nearest_centers(offset: Tensor, centers: Centers, mask: Tensor, max_distance: float | None) -> Tensor:
    """Index (H, W) of the centre nearest to where each pixel of ``mask`` (H, W) points; else NO_INSTANCE.

    ``offset`` (2, H, W) holds rows and columns relative to the height and the width.
    """
    instances = torch.full(mask.shape, NO_INSTANCE, dtype=torch.int64, device=mask.device)
    if not len(centers.scores):
        return instances
    pixels = mask.nonzero()
    extent = torch.tensor(mask.shape, device=mask.device)
    targets = pixels + offset.float()[:, mask].T * extent
    goals = centers.pixels.to(targets)
    parts = []
    for chunk in targets.split(CHUNK):
        # Not by a matrix product: that would lose digits where two centres are almost equally near.
        distances = torch.cdist(chunk, goals, compute_mode="donot_use_mm_for_euclid_dist")
        nearest, index = distances.min(dim=1)
        parts.append(
            index if max_distance is None else index.masked_fill(nearest > max_distance, NO_INSTANCE)
        )
    instances[mask] = torch.cat(parts)
    return instances
