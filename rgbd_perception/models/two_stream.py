"""Segmentation with one encoder and one decoder for two streams, and the ensemble of their class scores.

The frame that GeminiFusion, DiffPixelFormer and TokenFusion have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rgbd_perception.models.backbones import BACKBONES, BackboneConfig
from rgbd_perception.models.network import Network
from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.parallel import STREAMS, stack_streams
from rgbd_perception.models.segformer_head import SegFormerHead

PATCH = 4


@dataclass(frozen=True)
class TwoStreamConfig:
    """The part of the configuration that the families share.

    ``drop_path`` is the rate of the published trainings. Depth statistics are in metres.
    """

    backbone: BackboneConfig = BACKBONES["mit_b3"]
    num_classes: int = 40
    decoder_dim: int = 256
    drop_path: float = 0.4
    depth_mean: float = 0.0
    depth_std: float = 1.0
    input_size: tuple[int, int] = (480, 640)

    @property
    def stride(self) -> int:
        """Input pixels along one side of an output cell."""
        return PATCH

    @property
    def input_multiple(self) -> int:
        """Inputs of any size work; multiples of this give cells of equal size."""
        return PATCH


class TwoStreamNetwork(Network):
    """Encoder and decoder are shared by color and depth; only norms tell the streams apart.

    The ensemble is the mean of both class scores with weights softmax(``alpha``). No gradient flows from it
    into the streams, as in the references.
    """

    def __init__(self, config: TwoStreamConfig, encoder: nn.Module) -> None:
        super().__init__()
        self.config: TwoStreamConfig = config
        self.min_size = config.backbone.min_size
        self.encoder = encoder
        self.decoder = SegFormerHead(config.backbone.widths, config.decoder_dim, config.num_classes)
        self.alpha = nn.Parameter(torch.ones(STREAMS))

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        """Normalised color (B, 3, H, W) and depth (B, 1 or 3, H, W) -> class scores (B, K, H/4, W/4).

        Any size of at least the backbone's ``min_size``; the scores are rounded up to ceil(H/4) x ceil(W/4).
        """
        return with_ensemble(self.decoder(self.features(rgb, depth)), self.alpha)

    def features(self, rgb: Tensor, depth: Tensor) -> Sequence[Tensor]:
        """What the decoder gets: (2B, C, h, w) at strides 4, 8, 16, 32, color first."""
        return self.encoder(self.stack(rgb, depth))

    def stack(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """What the encoder gets: (2B, 3, H, W), color first."""
        return stack_streams({"rgb": rgb, "depth": depth}, self.min_size)


def with_ensemble(logits: Tensor, alpha: Tensor) -> ModelOutput:
    """Class scores (2B, K, h, w), color first -> those of the streams and their mean."""
    first, second = logits.chunk(STREAMS)
    return ModelOutput(logits=ensemble(first, second, alpha), rgb_logits=first, depth_logits=second)


def ensemble(first: Tensor, second: Tensor, alpha: Tensor) -> Tensor:
    """Mean with weights softmax(``alpha``), without a gradient to what it is the mean of."""
    weights = alpha.softmax(dim=0)
    return weights[0] * first.detach() + weights[1] * second.detach()
