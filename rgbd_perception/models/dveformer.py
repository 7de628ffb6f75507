"""DVEFormer (Fischedick et al. 2025, arXiv:2601.00359): RGB-D in, dense text-aligned embeddings out.

One code path for the published networks (which load the authors' checkpoints by name) and for this project's
own small ``rgbd_mini``: only the numbers differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from rgbd_perception.models.mlp_decoder import MlpDecoder
from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.swin_multi_network import SwinMultiNetwork, SwinMultiNetworkConfig
from rgbd_perception.models.swin_v2_multi import SwinMultiConfig

__all__ = ["DVEFORMER_CONFIGS", "DVEFormer", "DVEFormerConfig"]


@dataclass(frozen=True)
class DVEFormerConfig(SwinMultiNetworkConfig):
    """Everything that defines a network of the family."""

    embedding_dim: int = 768


class DVEFormer(SwinMultiNetwork):
    """Backbone with two patch embeddings, pyramid pooling, MLP decoder, embedding head."""

    has_embeddings = True

    def __init__(self, config: DVEFormerConfig) -> None:
        super().__init__(config)
        decoder = MlpDecoder(
            config.backbone.widths,
            config.branches,
            config.fused,
            config.embedding_dim,
            config.upsamplings,
            config.dropout,
        )
        self.decoders = nn.ModuleDict({"dense_visual_embedding_decoder": decoder})

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        """Normalised color (B, 3, H, W) and depth (B, 1, H, W) -> embedding (B, D, H/stride, W/stride).

        H and W must be multiples of ``input_multiple``. ``inference.preprocess.normalize`` makes the inputs.
        """
        encoded = self.encode(rgb, depth)
        return ModelOutput(embedding=self.decoder(encoded.context, encoded.skips))

    def features(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """What the embedding head gets: (B, F, H/4, W/4)."""
        encoded = self.encode(rgb, depth)
        return self.decoder.features(encoded.context, encoded.skips)

    @property
    def decoder(self) -> MlpDecoder:
        """The decoder of the embeddings."""
        return cast(MlpDecoder, self.decoders["dense_visual_embedding_decoder"])


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
