"""GeminiFusion (Jia et al. 2024, arXiv:2406.01210) for color and depth, on MiT and Swin."""

from __future__ import annotations

from dataclasses import dataclass

from rgbd_perception.models.backbones import BACKBONES, make_encoder
from rgbd_perception.models.discriminators import DiscriminatorName
from rgbd_perception.models.pixel_fusion import GeminiFusion
from rgbd_perception.models.two_stream import TwoStreamConfig, TwoStreamNetwork


@dataclass(frozen=True)
class GeminiFusionConfig(TwoStreamConfig):
    """Everything that defines a network of the family; ``drop_path`` is the rate of its training on NYUDv2.

    The published weights expect depth without a mean, probably millimetres divided by 255. That scale is
    inferred from the authors' answers to users, not verified with weights. ``discriminator`` replaces that of
    the published fusion, see ``discriminators``.
    """

    fusion_heads: int = 8
    discriminator: DiscriminatorName | None = None
    depth_std: float = 0.255


class GeminiFusionNetwork(TwoStreamNetwork):
    """Both streams through one backbone, fused in every block."""

    def __init__(self, config: GeminiFusionConfig) -> None:
        fusion = GeminiFusion(config.fusion_heads, config.discriminator)
        super().__init__(config, make_encoder(config.backbone, fusion, config.drop_path))


_DROP_PATHS = {"mit_b5": 0.35, "swin_tiny": 0.2, "swin_large_w12": 0.2}

GEMINIFUSION_CONFIGS: dict[str, GeminiFusionConfig] = {
    f"geminifusion_{name}": GeminiFusionConfig(backbone, drop_path=_DROP_PATHS.get(name, 0.4))
    for name, backbone in BACKBONES.items()
}
