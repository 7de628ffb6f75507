"""Context module: pyramid pooling (Zhao et al. 2017, arXiv:1612.01105) on the last feature map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.layers import ConvNormRelu


class PyramidPooling(nn.Module):
    """(B, C, h, w) -> the same shape, with what the whole image says mixed in."""

    def __init__(self, channels: int, bins: tuple[int, ...]) -> None:
        super().__init__()
        self.branch_channels = channels // len(bins)
        self.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(size), ConvNormRelu(channels, self.branch_channels))
            for size in bins
        )
        self.final_conv = ConvNormRelu(channels + self.branch_channels * len(bins), channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.merge(x, self.pool(x))

    def pool(self, x: Tensor) -> list[Tensor]:
        """One map (B, branch_channels, bin, bin) for each of the bins."""
        return [branch(x) for branch in self.features]

    def merge(self, x: Tensor, pooled: Sequence[Tensor]) -> Tensor:
        """The pooled maps brought back into ``x``."""
        spread = [
            F.interpolate(part, size=x.shape[2:], mode="bilinear", align_corners=False) for part in pooled
        ]
        return self.final_conv(torch.cat([x, *spread], dim=1))
