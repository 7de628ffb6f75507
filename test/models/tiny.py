"""Networks with few channels, and a look at what they return."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from rgbd_perception.models import ModelOutput, create_model
from rgbd_perception.models.network import Network
from rgbd_perception.models.swin_v2_multi import SwinMultiConfig

TINY = SwinMultiConfig(rgb_width=12, depth_width=4, depths=(2, 2, 2, 2), heads=(1, 2, 4, 8), drop_path=0.0)
CLASSES = 24
SIZE = (96, 160)
"""Some windows are padded, some shifts suppressed, merging meets odd sizes."""


def tiny(name: str, **overrides: Any) -> Network:
    """The network with few channels and with weights and statistics that leave nothing neutral."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {}
    if name != "rgbd_mini":
        settings = {"backbone": TINY, "fused": 16, "branches": (16, 8, 8, 8)}
        settings["embedding_dim" if name.startswith("dveformer") else "num_classes"] = CLASSES
    model = create_model(name, **{"input_size": SIZE, **settings, **overrides})
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    for name, parameter in model.named_parameters():
        if name.endswith("qkv.bias"):
            nn.init.normal_(parameter)
        if name.endswith("task_convs.2.bias"):  # near length 0 the least rounding turns an orientation
            nn.init.ones_(parameter)
    return model.eval()


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    """The outputs that the network has, by field."""
    values = {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    return {name: value for name, value in values.items() if value is not None}
