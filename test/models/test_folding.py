"""Deployment forms against the plain ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rgbd_perception.models import create_model
from rgbd_perception.models.mit import MitConfig
from rgbd_perception.models.network import Network
from rgbd_perception.models.swin import SwinConfig

MIT = MitConfig(widths=(16, 32, 40, 64), depths=(1, 2, 1, 1))
SWIN = SwinConfig(embed_dim=24, depths=(2, 2, 1, 1), heads=(1, 2, 4, 8), window=4)
NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("geminifusion_mit_b0", {"backbone": MIT}),
    ("geminifusion_swin_tiny", {"backbone": SWIN}),
    ("diffpixelformer_mit_b0", {"backbone": MIT}),
    ("diffpixelformer_mit_b0", {"backbone": MIT, "mode": "stacked"}),
    ("diffpixelformer_swin_tiny", {"backbone": SWIN, "mode": "paper"}),
    ("tokenfusion_mit_b2", {"backbone": MIT}),
    ("geminifusion_deliver_mit_b0", {"backbone": MIT}),
]


def network_of(name: str, settings: dict[str, Any]) -> Network:
    """With parameters and statistics that are all different from their initial values."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=7, **settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2.0)
    return model


@pytest.mark.parametrize(("name", "settings"), NETWORKS)
def test_same_function(name: str, settings: dict[str, Any]) -> None:
    plain = network_of(name, settings).double()
    folded = plain.fused()
    rgb, depth = torch.randn(2, 2, 3, 50, 70, dtype=torch.float64)
    with torch.no_grad():
        wanted, found = plain(rgb, depth), folded(rgb, depth)
    for kind in ("logits", "rgb_logits", "depth_logits"):
        one, other = getattr(wanted, kind), getattr(found, kind)
        assert (one - other).abs().max() <= 1e-9 * one.abs().max(), kind


@pytest.mark.parametrize("name", ["geminifusion_mit_b0", "diffpixelformer_mit_b0"])
def test_less_work_and_no_parameters_left_over(name: str) -> None:
    plain = network_of(name, {"backbone": MIT})
    folded = plain.fused()
    compute = []
    for model in (plain, folded):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
        compute.append(counter.get_total_flops())
    assert compute[1] < 0.9 * compute[0]
    assert not any("relation_judger" in key or "cross_attn" in key for key in folded.state_dict())
    assert any("cross_attn" in key for key in plain.state_dict())
    assert not any(parameter.requires_grad for parameter in folded.parameters())
