"""Networks with few channels, and a look at what they return."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from rgbd_perception.models import ModelOutput, create_model
from rgbd_perception.models.mit import MitConfig
from rgbd_perception.models.network import Network
from rgbd_perception.models.swin import SwinConfig
from rgbd_perception.models.swin_multi_network import SwinMultiNetwork
from rgbd_perception.models.swin_v2_multi import SwinMultiConfig

SWIN_MULTI = SwinMultiConfig(
    rgb_width=12, depth_width=4, depths=(2, 2, 2, 2), heads=(1, 2, 4, 8), drop_path=0.0
)
MIT = MitConfig(widths=(16, 32, 40, 64), depths=(1, 2, 1, 1))
SWIN = SwinConfig(embed_dim=24, depths=(2, 2, 1, 1), heads=(1, 2, 4, 8), window=4)
CLASSES = 24
STIR = 0.1
SIZE = (96, 160)
"""Some windows are padded, some shifts suppressed, merging meets odd sizes."""

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("rgbd_mini", {}),
    ("dveformer_reducedres", {}),
    ("dveformer_fullres", {}),
    ("emsaformer_semantic_mlp", {}),
    ("emsaformer_semantic_emsanet", {}),
    ("emsaformer_multitask_mlp", {}),
    ("emsaformer_multitask_emsanet", {}),
    ("geminifusion_mit_b0", {}),
    ("geminifusion_swin_tiny", {}),
    ("geminifusion_deliver_mit_b0", {}),
    ("diffpixelformer_mit_b0", {"mode": "released"}),
    ("diffpixelformer_mit_b0", {"mode": "stacked"}),
    ("diffpixelformer_mit_b0", {"mode": "paper"}),
    ("diffpixelformer_swin_tiny", {"mode": "paper"}),
    ("tokenfusion_mit_b2", {}),
    ("geminifusion_mit_b0", {"discriminator": "sigmoid"}),
    ("geminifusion_mit_b0", {"discriminator": "gmlp"}),
    ("geminifusion_swin_tiny", {"discriminator": "se"}),
    ("geminifusion_mit_b0", {"discriminator": "eca"}),
    ("diffpixelformer_mit_b0", {"mode": "paper", "discriminator": "gmlp"}),
    ("two_stream_mit_b0", {"fusion": "none"}),
    ("two_stream_mit_b0", {"fusion": "cross_attention"}),
    ("two_stream_mit_b0", {"fusion": "shifted_window"}),
    ("two_stream_swin_tiny", {"fusion": "shifted_window"}),
    ("two_stream_mit_b0", {"fusion": "local_window"}),
    ("two_stream_mit_b0", {"fusion": "pixel_wise"}),
    ("two_stream_swin_tiny", {"fusion": "pixel_wise"}),
]
"""What every family has to offer: names and overrides."""


def tiny(name: str, **overrides: Any) -> Network:
    """The network with few channels and with weights and statistics that leave nothing neutral."""
    torch.manual_seed(0)
    model = create_model(name, **{"input_size": SIZE, **_settings(name), **overrides})
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    for name, parameter in model.named_parameters():
        if name.endswith("task_convs.2.bias"):  # near length 0 the least rounding turns an orientation
            nn.init.ones_(parameter)
        elif name.endswith("qkv.bias") or name == "alpha":
            nn.init.normal_(parameter)
        elif not isinstance(model, SwinMultiNetwork):  # the others start with nearly neutral linears
            parameter.data.add_(STIR * torch.randn_like(parameter))
    return model.eval()


def _settings(name: str) -> dict[str, Any]:
    if name == "rgbd_mini":
        return {}
    if name.startswith("dveformer"):
        return {"backbone": SWIN_MULTI, "fused": 16, "branches": (16, 8, 8, 8), "embedding_dim": CLASSES}
    if name.startswith("emsaformer"):
        return {"backbone": SWIN_MULTI, "fused": 16, "branches": (16, 8, 8, 8), "num_classes": CLASSES}
    backbone = SWIN if "swin" in name else MIT
    return {"backbone": backbone, "decoder_dim": 16, "num_classes": CLASSES, "drop_path": 0.0}


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    """The outputs that the network has, by field."""
    values = {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    return {name: value for name, value in values.items() if value is not None}
