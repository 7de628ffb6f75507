"""DVEFormer (Fischedick et al. 2025, arXiv:2601.00359): RGB-D in, dense text-aligned embeddings out.

One code path for the published networks (which load the authors' checkpoints by name) and for this project's
own small ``rgbd_mini``: only the numbers differ.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import cast

from torch import Tensor, nn

from rgbd_perception.models.context import PyramidPooling
from rgbd_perception.models.mlp_decoder import MlpDecoder
from rgbd_perception.models.network import Network
from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.swin_v2 import WindowAttentionV2
from rgbd_perception.models.swin_v2_multi import PATCH, SwinMulti, SwinMultiConfig

__all__ = ["DVEFORMER_CONFIGS", "DVEFormer", "DVEFormerConfig"]


@dataclass(frozen=True)
class DVEFormerConfig:
    """Everything that defines a network of the family.

    ``branches`` are the decoder's channels for strides 32, 16, 8 and 4; each of ``upsamplings`` doubles the
    output's resolution, which is a quarter of the input's without any. Depth statistics are in metres.
    ``input_size`` (H, W) is the resolution the network was made for; multiples of ``input_multiple`` work.
    """

    backbone: SwinMultiConfig = field(default_factory=SwinMultiConfig)
    context_bins: tuple[int, ...] = (1, 5)
    branches: tuple[int, ...] = (256, 128, 64, 64)
    fused: int = 512
    embedding_dim: int = 768
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


class DVEFormer(Network):
    """Backbone with two patch embeddings, pyramid pooling, MLP decoder, embedding head."""

    def __init__(self, config: DVEFormerConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.backbone.widths
        self.encoder = nn.Sequential(OrderedDict(backbone=SwinMulti(config.backbone)))
        self.context_module = PyramidPooling(widths[-1], config.context_bins)
        decoder = MlpDecoder(
            widths, config.branches, config.fused, config.embedding_dim, config.upsamplings, config.dropout
        )
        self.decoders = nn.ModuleDict({"dense_visual_embedding_decoder": decoder})

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        """Normalised color (B, 3, H, W) and depth (B, 1, H, W) -> embedding (B, D, H/stride, W/stride).

        H and W must be multiples of ``input_multiple``. ``inference.preprocess.normalize`` makes the inputs.
        """
        return ModelOutput(embedding=self.decoder(*self._encode(rgb, depth)))

    def features(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """What the embedding head gets: (B, F, H/4, W/4)."""
        return self.decoder.features(*self._encode(rgb, depth))

    @property
    def decoder(self) -> MlpDecoder:
        """The decoder of the embeddings."""
        return cast(MlpDecoder, self.decoders["dense_visual_embedding_decoder"])

    def _encode(self, rgb: Tensor, depth: Tensor) -> tuple[Tensor, list[Tensor]]:
        *skips, last = self.encoder.backbone(rgb, depth)
        return self.context_module(last.permute(0, 3, 1, 2)), skips

    def fold_constants(self) -> None:
        """Precompute the position biases for inference; after loading weights. ``train()`` undoes it."""
        self.eval()
        for module in self.modules():
            if isinstance(module, WindowAttentionV2):
                module.fold()


DVEFORMER_CONFIGS: dict[str, DVEFormerConfig] = {
    "dveformer_reducedres": DVEFormerConfig(),
    "dveformer_fullres": DVEFormerConfig(upsamplings=2),
    "rgbd_mini": DVEFormerConfig(
        backbone=SwinMultiConfig(
            rgb_width=24,
            depth_width=8,
            depths=(1, 2, 4, 2),
            heads=(1, 2, 4, 8),
            mlp_ratio=3.0,
            drop_path=0.05,
            convolutions=True,
            geometry_offset=2.5 / 1.5,
        ),
        branches=(64, 48, 32, 32),
        fused=96,
        embedding_dim=384,
        dropout=0.0,
        depth_mean=2.5,
        depth_std=1.5,
        input_size=(240, 320),
    ),
}
