"""Two streams through one backbone with a fusion by name: the comparison of DiffPixelFormer's Table III.

none             No fusion: the streams meet in the ensemble only.
cross_attention  Each pixel attends to all pixels of the other stream.
shifted_window   ... to those in its window, twice, the second time with shifted windows.
local_window     ... to those in its window.
pixel_wise       ... to the one at the same place.

All but ``none`` are our own designs with the published parameters and compute, see ``cross_attention``. The
rows of the table that have a specification are networks of their own: GeminiFusion and DiffPixelFormer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from rgbd_perception.errors import UserError
from rgbd_perception.models.backbones import BACKBONES, make_encoder
from rgbd_perception.models.cross_attention import (
    CrossAttention,
    PixelCrossAttention,
    WindowedCrossAttention,
)
from rgbd_perception.models.fusion import Fusion, ModuleFusion
from rgbd_perception.models.geminifusion import GeminiFusionConfig
from rgbd_perception.models.two_stream import TwoStreamConfig, TwoStreamNetwork

FusionName = Literal["none", "cross_attention", "shifted_window", "local_window", "pixel_wise"]


@dataclass(frozen=True)
class FusionRowConfig(TwoStreamConfig):
    """Everything that defines a network of the family; ``fusion_window`` is the side of a window in tokens.

    Depth is scaled as for GeminiFusion, so that the fusion is the only difference. There are no weights.
    """

    fusion: FusionName = "none"
    fusion_heads: int = 8
    fusion_window: int = 7
    depth_std: float = GeminiFusionConfig.depth_std

    def __post_init__(self) -> None:
        if self.fusion not in get_args(FusionName):
            raise UserError(f"expected fusion {', '.join(get_args(FusionName))}, got {self.fusion!r}")


class FusionRow(TwoStreamNetwork):
    """Both streams through one backbone, fused in every block, or in none."""

    def __init__(self, config: FusionRowConfig) -> None:
        super().__init__(config, make_encoder(config.backbone, _fusion(config), config.drop_path))


def _fusion(config: FusionRowConfig) -> Fusion | None:
    if config.fusion == "none":
        return None
    if config.fusion == "cross_attention":
        return ModuleFusion(partial(CrossAttention, heads=config.fusion_heads))
    if config.fusion == "pixel_wise":
        return ModuleFusion(partial(PixelCrossAttention, heads=config.fusion_heads))
    windowed = partial(WindowedCrossAttention, heads=config.fusion_heads, window=config.fusion_window)
    return ModuleFusion(partial(windowed, shifted=config.fusion == "shifted_window"))


FUSION_ROW_CONFIGS: dict[str, FusionRowConfig] = {
    f"two_stream_{name}": FusionRowConfig(backbone) for name, backbone in BACKBONES.items()
}
