"""What DVEFormer and EMSAFormer share: backbone with two patch embeddings, pyramid pooling."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

from rgbd_perception.models.context import PyramidPooling
from rgbd_perception.models.inputs import check_images, whole_patches
from rgbd_perception.models.network import Network
from rgbd_perception.models.swin_v2_multi import PATCH, SwinMulti, SwinMultiConfig


@dataclass(frozen=True)
class SwinMultiNetworkConfig:
    """The part of the configuration that does not depend on the task.

    ``branches`` are the channels of an MLP decoder for strides 32, 16, 8 and 4, ``fused`` those of their
    fusion; each of ``upsamplings`` doubles the output's resolution, which is a quarter of the input's without
    any. Depth statistics are in metres. ``input_size`` (H, W) is the resolution the network was made for;
    multiples of ``input_multiple`` work.
    """

    backbone: SwinMultiConfig = field(default_factory=SwinMultiConfig)
    context_bins: tuple[int, ...] = (1, 5)
    branches: tuple[int, ...] = (256, 128, 64, 64)
    fused: int = 512
    upsamplings: int = 0
    dropout: float = 0.1
    depth_mean: float = 2.84194941272766
    depth_std: float = 1.4172594281672277
    input_size: tuple[int, int] = (480, 640)

    @property
    def stride(self) -> int:
        """Input pixels along one side of an output cell."""
        return PATCH // 2**self.upsamplings

    @property
    def input_multiple(self) -> int:
        """Height and width of an input must be multiples of this."""
        return PATCH


class Encoded(NamedTuple):
    """What decoders get.

    context  (B, C, h, w) at stride 32
    skips    (B, h, w, C) at strides 4, 8 and 16, not normed
    pooled   (B, C', bin, bin) for each bin of the context module
    """

    context: Tensor
    skips: list[Tensor]
    pooled: list[Tensor]


class SwinMultiNetwork(Network):
    """Backbone and context module; a network of the family adds ``decoders``."""

    def __init__(self, config: SwinMultiNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Sequential(OrderedDict(backbone=SwinMulti(config.backbone)))
        self.context_module = PyramidPooling(config.backbone.widths[-1], config.context_bins)

    def encode(self, rgb: Tensor, depth: Tensor) -> Encoded:
        """Normalised color (B, 3, H, W) and depth (B, 1, H, W) -> what the decoders get.

        As in the reference, pixels beyond the last whole patch are ignored. Raises InputError for
        images that it cannot take.
        """
        check_images({"rgb": rgb, "depth": depth})
        rgb, depth = (whole_patches(x, PATCH, self.config.input_multiple) for x in (rgb, depth))
        *skips, last = self.encoder.backbone(rgb, depth)
        last = last.permute(0, 3, 1, 2)
        pooled = self.context_module.pool(last)
        return Encoded(self.context_module.merge(last, pooled), skips, pooled)
