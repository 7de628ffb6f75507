"""DiffPixelFormer (arXiv:2511.13047): GeminiFusion with DSIM in place of its fusion.

As released, its Swin encoder has no DSIM: it is GeminiFusion's, and the published figures belong to that.
"""

from __future__ import annotations

from dataclasses import dataclass

from rgbd_perception.models.backbones import BACKBONES, make_encoder
from rgbd_perception.models.dsim import Dsim, DsimMode
from rgbd_perception.models.fusion import Fusion
from rgbd_perception.models.geminifusion import GeminiFusionConfig
from rgbd_perception.models.pixel_fusion import GeminiFusion
from rgbd_perception.models.swin import SwinConfig
from rgbd_perception.models.two_stream import TwoStreamNetwork


@dataclass(frozen=True)
class DiffPixelFormerConfig(GeminiFusionConfig):
    """As GeminiFusion's, and the form of DSIM: see ``dsim``."""

    mode: DsimMode = "released"


class DiffPixelFormer(TwoStreamNetwork):
    """Both streams through one backbone, fused by DSIM in every block."""

    def __init__(self, config: DiffPixelFormerConfig) -> None:
        super().__init__(config, make_encoder(config.backbone, _fusion(config), config.drop_path))


def _fusion(config: DiffPixelFormerConfig) -> Fusion:
    """The released Swin has GeminiFusion's module; DSIM in a Swin, as the paper describes it, is our work."""
    if isinstance(config.backbone, SwinConfig) and config.mode == "released":
        return GeminiFusion(config.fusion_heads, config.discriminator)
    return Dsim(config.fusion_heads, config.discriminator, config.mode)


DIFFPIXELFORMER_CONFIGS: dict[str, DiffPixelFormerConfig] = {
    f"diffpixelformer_{name}": DiffPixelFormerConfig(backbone)
    for name, backbone in BACKBONES.items()
    if name != "swin_small"  # not among the published variants
}
