"""Segmentation with one encoder and one decoder for two streams, and the ensemble of their class scores.

The frame that GeminiFusion, DiffPixelFormer and TokenFusion have in common.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rgbd_perception.models.backbones import BackboneConfig
from rgbd_perception.models.network import Network
from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.parallel import STREAMS, stack_streams
from rgbd_perception.models.segformer_head import SegFormerHead


class TwoStreamNetwork(Network):
    """Encoder and decoder are shared by color and depth; only norms tell the streams apart.

    The ensemble is the mean of both class scores with weights softmax(``alpha``). No gradient flows from it
    into the streams, as in the references.
    """

    def __init__(
        self, encoder: nn.Module, backbone: BackboneConfig, decoder_dim: int, num_classes: int
    ) -> None:
        super().__init__()
        self.min_size = backbone.min_size
        self.encoder = encoder
        self.decoder = SegFormerHead(backbone.widths, decoder_dim, num_classes)
        self.alpha = nn.Parameter(torch.ones(STREAMS))

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        """Normalised color (B, 3, H, W) and depth (B, 1 or 3, H, W) -> class scores (B, K, H/4, W/4).

        Any size of at least ``min_size``; the scores are rounded up to ceil(H/4) x ceil(W/4).
        """
        return with_ensemble(self.decoder(self.features(rgb, depth)), self.alpha)

    def features(self, rgb: Tensor, depth: Tensor) -> Sequence[Tensor]:
        """What the decoder gets: (2B, C, h, w) at strides 4, 8, 16, 32, color first."""
        return self.encoder(stack_streams({"rgb": rgb, "depth": depth}, self.min_size))


def with_ensemble(logits: Tensor, alpha: Tensor) -> ModelOutput:
    """Class scores (2B, K, h, w), color first -> those of the streams and their mean."""
    first, second = logits.chunk(STREAMS)
    return ModelOutput(logits=ensemble(first, second, alpha), rgb_logits=first, depth_logits=second)


def ensemble(first: Tensor, second: Tensor, alpha: Tensor) -> Tensor:
    """Mean with weights softmax(``alpha``), without a gradient to what it is the mean of."""
    weights = alpha.softmax(dim=0)
    return weights[0] * first.detach() + weights[1] * second.detach()
