"""GeminiFusion, DiffPixelFormer and TokenFusion: inputs, training, and what golden values cannot see."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from rgbd_perception.models import create_model
from rgbd_perception.models.mit import MIT_CONFIGS, MitConfig
from rgbd_perception.models.network import Network
from rgbd_perception.models.parallel import ParallelNorm
from rgbd_perception.models.swin import SwinConfig

MIT = MitConfig(widths=(8, 16, 40, 64), depths=(1, 1, 1, 1))
SWIN = SwinConfig(embed_dim=24, depths=(2, 2, 1, 1), heads=(1, 2, 4, 8), window=4)
NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("geminifusion_mit_b0", {"backbone": MIT}),
    ("geminifusion_swin_tiny", {"backbone": SWIN}),
    ("diffpixelformer_mit_b0", {"backbone": MIT, "mode": "paper"}),
    ("tokenfusion_mit_b2", {"backbone": MIT}),
]


def network_of(name: str, settings: dict[str, Any]) -> Network:
    torch.manual_seed(0)
    return create_model(name, num_classes=5, decoder_dim=16, drop_path=0.0, **settings)


@pytest.mark.parametrize(("name", "settings"), NETWORKS)
def test_sizes_and_channels(name: str, settings: dict[str, Any]) -> None:
    """Any size, any batch, one depth channel or three equal ones, half precision."""
    model = network_of(name, settings).eval()
    with torch.no_grad():
        for batch, height, width in ((2, 53, 73), (1, 32, 29)):
            rgb, depth = torch.randn(batch, 3, height, width), torch.rand(batch, 1, height, width)
            logits = model(rgb, depth).logits
            assert logits.shape == (batch, 5, -(-height // 4), -(-width // 4))
            torch.testing.assert_close(model(rgb, depth.expand(-1, 3, -1, -1)).logits, logits)
        rgb, depth = torch.randn(2, 3, 32, 32), torch.rand(2, 1, 32, 32)
        whole = model(rgb, depth).logits
        alone = torch.cat([model(rgb[i : i + 1], depth[i : i + 1]).logits for i in (0, 1)])
        torch.testing.assert_close(alone, whole, atol=1e-5, rtol=1e-5)
        half = model.half()(rgb.half(), depth.half()).logits
        torch.testing.assert_close(half.float(), whole, atol=2e-2, rtol=2e-2)


def test_tiny_images() -> None:
    with torch.no_grad():
        pixel = torch.zeros(1, 3, 1, 1)
        assert network_of(*NETWORKS[1]).eval()(pixel, pixel).logits.shape == (1, 5, 1, 1)


@pytest.mark.parametrize(("name", "settings"), NETWORKS)
def test_training_reaches_every_parameter_and_the_ensemble_only_alpha(
    name: str, settings: dict[str, Any]
) -> None:
    model = network_of(name, settings).train()
    output = model(torch.randn(2, 3, 64, 72), torch.randn(2, 1, 64, 72))
    output.logits.square().sum().backward()
    assert [name for name, value in model.named_parameters() if value.grad is not None] == ["alpha"]
    (output.rgb_logits.square().mean() + output.depth_logits.square().mean()).backward()
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []


def test_epsilons() -> None:
    """Interchanged ones change the golden values by less than the tolerance."""
    for name, settings in NETWORKS[:2]:
        model = network_of(name, settings)
        of_streams = {
            id(norm)
            for module in model.modules()
            if isinstance(module, ParallelNorm)
            for norm in module.children()
        }
        norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm)]
        assert {norm.eps for norm in norms if id(norm) in of_streams} == {1e-6}
        assert {norm.eps for norm in norms if id(norm) not in of_streams} <= {1e-5}


def test_least_size_of_the_published_backbones() -> None:
    assert {config.min_size for config in MIT_CONFIGS.values()} == {29}
