"""Swin V2 backbone with two parallel patch embeddings, one for color and one for depth.

Color and depth are embedded separately, normalised separately and concatenated; everything after that is one
hierarchical transformer over both. The odd names of the stages (2..7) are the positions in the checkpoints.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rgbd_perception.models.drop_path import drop_path_rates
from rgbd_perception.models.geometry import GEOMETRY_CHANNELS, geometry_features
from rgbd_perception.models.swin_v2 import PatchMergingV2, SwinBlockV2
from rgbd_perception.models.window_attention import fit_stages

PATCH = 4
MIN_STEM_WIDTH = 16


@dataclass(frozen=True)
class SwinMultiConfig:
    """Sizes of the backbone; stage i has (rgb_width + depth_width) * 2**i channels at stride 4 * 2**i.

    ``convolutions`` adds what helps a small network that is trained from scratch, and the published ones do
    not have: patch embeddings of two overlapping convolutions (Xiao et al. 2021, arXiv:2106.14881) instead of
    one of separate patches, and a depth-wise convolution in every block. ``geometry_offset``, where it is not
    0, adds slopes and relief worked out from depth to the tokens; it is the depth's mean over its deviation.
    """

    rgb_width: int = 96
    depth_width: int = 32
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (4, 8, 16, 32)
    window: int = 8
    mlp_ratio: float = 4.0
    drop_path: float = 0.2
    convolutions: bool = False
    geometry_offset: float = 0.0

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the stages."""
        return tuple((self.rgb_width + self.depth_width) * 2**stage for stage in range(len(self.depths)))


class PatchEmbedder(nn.Module):
    """Color (B, 3, H, W) and depth (B, 1, H, W) -> tokens (B, H/4, W/4, rgb_width + depth_width)."""

    def __init__(self, rgb_width: int, depth_width: int, overlapping: bool) -> None:
        super().__init__()
        embedding = _overlapping_embedding if overlapping else _embedding
        self.rgb_layers = embedding(3, rgb_width)
        self.depth_layers = embedding(1, depth_width)

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        return torch.cat((self.rgb_layers(rgb), self.depth_layers(depth)), dim=-1)


class SwinMulti(nn.Module):
    """The backbone: four stages at strides 4, 8, 16 and 32."""

    def __init__(self, config: SwinMultiConfig) -> None:
        super().__init__()
        if len(config.depths) != 4 or len(config.heads) != 4:
            raise ValueError(f"expected four stages, got depths {config.depths}, heads {config.heads}")
        self.config = config
        widths = config.widths
        stages = _stages(config)
        self.patch_embedder = PatchEmbedder(config.rgb_width, config.depth_width, config.convolutions)
        self.layer_1 = stages[0]
        self.layer_2 = _named({"2": PatchMergingV2(widths[0]), "3": stages[1]})
        self.layer_3 = _named({"4": PatchMergingV2(widths[1]), "5": stages[2]})
        last = _named({"6": PatchMergingV2(widths[2]), "7": stages[3]})
        self.layer_4 = nn.Sequential(last, nn.LayerNorm(widths[3], eps=1e-5))
        self.geometry = nn.Conv2d(GEOMETRY_CHANNELS, widths[0], 1) if config.geometry_offset else None

    def forward(self, rgb: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features of the four stages, (B, h, w, C) each; only the last one is normed."""
        tokens = self.patch_embedder(rgb, depth)
        if self.geometry is not None:
            features = geometry_features(depth, self.config.geometry_offset)
            tokens = tokens + self.geometry(features).permute(0, 2, 3, 1)
        first = self.layer_1(tokens)
        second = self.layer_2(first)
        third = self.layer_3(second)
        return first, second, third, self.layer_4(third)

    def prepare(self, height: int, width: int) -> None:
        """Work out the constants of frozen attentions for images of this size."""
        stages = [self.layer_1, self.layer_2, self.layer_3, self.layer_4]
        fit_stages(stages, height // PATCH, width // PATCH)


class _ToChannelsLast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


def _embedding(channels: int, width: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, width, kernel_size=PATCH, stride=PATCH)
    return nn.Sequential(conv, _ToChannelsLast(), nn.LayerNorm(width, eps=1e-5))


def _overlapping_embedding(channels: int, width: int) -> nn.Sequential:
    middle = max(width, MIN_STEM_WIDTH)
    return nn.Sequential(
        nn.Conv2d(channels, middle, 3, stride=2, padding=1),
        nn.GELU(),
        nn.Conv2d(middle, width, 3, stride=2, padding=1),
        _ToChannelsLast(),
        nn.LayerNorm(width, eps=1e-5),
    )


def _named(modules: dict[str, nn.Module]) -> nn.Sequential:
    return nn.Sequential(OrderedDict(modules))


def _stages(config: SwinMultiConfig) -> list[nn.Sequential]:
    rates = iter(drop_path_rates(config.drop_path, sum(config.depths)))
    stages: list[nn.Sequential] = []
    for depth, heads, width in zip(config.depths, config.heads, config.widths, strict=True):
        blocks = []
        for position in range(depth):
            shift = config.window // 2 if position % 2 else 0
            block = SwinBlockV2(
                width, heads, config.window, shift, config.mlp_ratio, next(rates), config.convolutions
            )
            blocks.append(block)
        stages.append(nn.Sequential(*blocks))
    return stages
