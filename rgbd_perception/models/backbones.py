"""Backbones for two streams by name."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from rgbd_perception.models.fusion import Fusion
from rgbd_perception.models.mit import MIT_CONFIGS, Mit, MitConfig
from rgbd_perception.models.swin import SWIN_CONFIGS, Swin, SwinConfig

BackboneConfig = MitConfig | SwinConfig

BACKBONES: dict[str, BackboneConfig] = {**MIT_CONFIGS, **SWIN_CONFIGS}


def make_encoder(backbone: BackboneConfig, fusion: Fusion | None, drop_path: float) -> nn.Module:
    """A backbone by the type of its sizes, under its published name."""
    if isinstance(backbone, MitConfig):
        return Mit(backbone, fusion, drop_path)
    return nn.Sequential(OrderedDict(body=Swin(backbone, fusion, drop_path)))
