"""GeminiFusion (Jia et al. 2024, arXiv:2406.01210) for color and depth, on MiT and Swin."""

from __future__ import annotations

from dataclasses import dataclass

from rgbd_perception.models.backbones import BACKBONES, BackboneConfig, make_encoder
from rgbd_perception.models.gemini_fusion import GeminiFusion
from rgbd_perception.models.two_stream import TwoStreamNetwork

DROP_PATH = 0.4


@dataclass(frozen=True)
class GeminiFusionConfig:
    """Everything that defines a network of the family; ``drop_path`` is the rate of its training on NYUDv2.

    Depth statistics are in metres. The published weights expect depth without a mean, probably millimetres
    divided by 255. That scale is inferred from the authors' answers to users, not verified with weights.
    """

    backbone: BackboneConfig = BACKBONES["mit_b3"]
    num_classes: int = 40
    decoder_dim: int = 256
    fusion_heads: int = 8
    drop_path: float = DROP_PATH
    depth_mean: float = 0.0
    depth_std: float = 0.255
    input_size: tuple[int, int] = (480, 640)

    @property
    def stride(self) -> int:
        """Input pixels along one side of an output cell."""
        return 4

    @property
    def input_multiple(self) -> int:
        """Inputs of any size work; multiples of this give cells of equal size."""
        return 4


class GeminiFusionNetwork(TwoStreamNetwork):
    """Both streams through one backbone, fused in every block."""

    def __init__(self, config: GeminiFusionConfig) -> None:
        fusion = GeminiFusion(config.fusion_heads)
        encoder = make_encoder(config.backbone, fusion, config.drop_path)
        super().__init__(encoder, config.backbone, config.decoder_dim, config.num_classes)
        self.config = config


_DROP_PATHS = {"mit_b5": 0.35, "swin_tiny": 0.2, "swin_large_w12": 0.2}

GEMINIFUSION_CONFIGS: dict[str, GeminiFusionConfig] = {
    f"geminifusion_{name}": GeminiFusionConfig(backbone, drop_path=_DROP_PATHS.get(name, DROP_PATH))
    for name, backbone in BACKBONES.items()
}
