"""Context module: pyramid pooling (Zhao et al. 2017, arXiv:1612.01105) on the last feature map."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_norm_relu(channels_in: int, channels_out: int) -> nn.Sequential:
    """1x1 convolution without bias, batch norm, ReLU; named ``conv`` and ``norm`` as in the checkpoints."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels_in, channels_out, 1, bias=False),
            norm=nn.BatchNorm2d(channels_out, eps=1e-5),
            act=nn.ReLU(inplace=True),
        )
    )


class PyramidPooling(nn.Module):
    """(B, C, h, w) -> the same shape, with what the whole image says mixed in."""

    def __init__(self, channels: int, bins: tuple[int, ...]) -> None:
        super().__init__()
        branch = channels // len(bins)
        self.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(size), conv_norm_relu(channels, branch)) for size in bins
        )
        self.final_conv = conv_norm_relu(channels + branch * len(bins), channels)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        pooled = [
            F.interpolate(branch(x), size=size, mode="bilinear", align_corners=False)
            for branch in self.features
        ]
        return self.final_conv(torch.cat([x, *pooled], dim=1))
