"""Head for instances: centres, offsets to them and orientations (EMSANet, Seichter et al. 2022)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rgbd_perception.models.layers import ConvNormRelu, LearnedUpsampling
from rgbd_perception.models.numerics import unit_vectors

TASK_CHANNELS = 32
OUTPUTS = (1, 2, 2)
"""Channels of centre, offset and orientation."""

EPSILON = 1e-7


class InstanceHead(nn.Module):
    """(B, C, h, w) -> raw maps (B, 5 or 3, H, W): one shared convolution, one for each task, upsamplings."""

    def __init__(self, channels: int, upsamplings: int, orientation: bool) -> None:
        super().__init__()
        outputs = OUTPUTS if orientation else OUTPUTS[:2]
        kernel = 3 if upsamplings else 1
        self.shared_conv = ConvNormRelu(channels, TASK_CHANNELS * len(outputs), kernel=3)
        self.task_convs = nn.ModuleList(
            nn.Conv2d(TASK_CHANNELS, count, kernel, padding=kernel // 2) for count in outputs
        )
        self.upsampling = nn.Sequential(*(LearnedUpsampling(sum(outputs)) for _ in range(upsamplings)))

    def forward(self, x: Tensor) -> Tensor:
        parts = self.shared_conv(x).split(TASK_CHANNELS, dim=1)
        maps = [conv(part) for conv, part in zip(self.task_convs, parts, strict=True)]
        return self.upsampling(torch.cat(maps, dim=1))


class InstanceMaps(NamedTuple):
    """Activated maps, as ``ModelOutput`` describes them."""

    center: Tensor
    offset: Tensor
    orientation: Tensor | None


def activate(raw: Tensor) -> InstanceMaps:
    """Raw maps of an InstanceHead -> centre in 0..1, offset in -1..1, orientation of unit length."""
    center, offset = raw[:, :1].sigmoid(), raw[:, 1:3].tanh()
    vectors = raw[:, 3:]
    orientation = unit_vectors(vectors, dim=1, epsilon=EPSILON) if vectors.shape[1] else None
    return InstanceMaps(center, offset, orientation)
