"""Relation discriminators: how much the channels of two streams have to do with each other.

The rows of DiffPixelFormer's Table V (arXiv:2511.13047), by name:

softmax   Two linear layers per pixel, softmax over the channels: GeminiFusion's, as released.
sigmoid   The same with a sigmoid: that of DSIM, as released.
gmlp      Two linear layers, a gMLP block, softmax. Our design: the paper gives no more than the names.
se        Squeeze-and-excitation. Our design, for the same reason.
eca       Efficient channel attention. Our design, for the same reason.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.errors import UserError
from rgbd_perception.models.fusion import TwoLayerMlp

DiscriminatorName = Literal["softmax", "sigmoid", "gmlp", "se", "eca"]

GRID = 8
SQUEEZE = 16
"""Channels per hidden unit of squeeze-and-excitation, as in its paper."""


def check_discriminator(name: str) -> None:
    """Raise UserError unless there is a discriminator of this name."""
    if name not in get_args(DiscriminatorName):
        raise UserError(f"expected discriminator {', '.join(get_args(DiscriminatorName))}, got {name!r}")


def make_discriminator(name: DiscriminatorName, dim: int) -> nn.Sequential:
    """Maps (B, H, W, 2C) of both streams, own first -> scores 0..1, (B, H, W, C) or one for all (B, 1, 1, C).

    ``softmax`` and ``sigmoid`` take tokens in any arrangement. Names of tensors are those of the checkpoints.
    """
    if name == "se":
        return nn.Sequential(SqueezeExcitation(dim), nn.Sigmoid())
    if name == "eca":
        return nn.Sequential(EfficientChannelAttention(dim), nn.Sigmoid())
    score = nn.Sigmoid() if name == "sigmoid" else nn.Softmax(dim=-1)
    mixing = [GatedMlp(dim)] if name == "gmlp" else []
    return nn.Sequential(TwoLayerMlp(2 * dim, dim), *mixing, score)


class GatedMlp(nn.Module):
    """Block of gMLP (Liu et al. 2021, arXiv:2105.08050): a linear mix of all places gates the channels.

    Our design in two points. There the mix has a weight for each pair of tokens, which fixes their number;
    here it is between the cells of a grid on the map, so that maps may have any size. And the gate is 1 plus
    the mix, so that the usual small initial weights are the neutral start that the paper asks for.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, 2 * dim)
        self.gate_norm = nn.LayerNorm(dim)
        self.mix = nn.Linear(GRID**2, GRID**2)
        self.contract = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> the same shape."""
        value, gate = F.gelu(self.expand(self.norm(x))).chunk(2, dim=-1)
        return x + self.contract(value * (1.0 + self._mixed(self.gate_norm(gate))))

    def _mixed(self, x: Tensor) -> Tensor:
        cells = F.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), GRID).flatten(2)
        mixed = self.mix(cells).unflatten(2, (GRID, GRID))
        spread = F.interpolate(mixed, size=x.shape[1:3], mode="bilinear", align_corners=False)
        return spread.permute(0, 2, 3, 1)


class SqueezeExcitation(nn.Module):
    """Two linear layers on the means over the pixels (Hu et al. 2018, arXiv:1709.01507).

    Our design: the means of both streams go in, logits for the channels of one come out.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = max(2 * dim // SQUEEZE, 1)
        self.squeeze = nn.Linear(2 * dim, hidden)
        self.excite = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, 2C) -> (B, 1, 1, C)."""
        return self.excite(F.relu(self.squeeze(_means(x))))


class EfficientChannelAttention(nn.Module):
    """A short convolution along the channels, on means over the pixels (Wang et al. 2020, arXiv:1910.03151).

    Our design: the means of the two streams are the two input channels of the convolution. Its length follows
    from the width as in the paper.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        length = int((math.log2(dim) + 1) / 2)
        length += 1 - length % 2
        self.conv = nn.Conv1d(2, 1, length, padding=length // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, 2C) -> (B, 1, 1, C)."""
        means = _means(x)
        return self.conv(means.view(x.shape[0], 2, -1)).view(*means.shape[:-1], -1)


def _means(x: Tensor) -> Tensor:
    """Over the pixels: (B, H, W, C) -> (B, 1, 1, C)."""
    return torch.mean(x, dim=(1, 2), keepdim=True)
