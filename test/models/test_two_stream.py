"""Networks of two streams: inputs, training, and what golden values cannot see."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from rgbd_perception.models.mit import MIT_CONFIGS
from rgbd_perception.models.parallel import ParallelNorm
from test.models.tiny import CLASSES, tiny

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("geminifusion_mit_b0", {}),
    ("geminifusion_swin_tiny", {}),
    ("diffpixelformer_mit_b0", {"mode": "paper"}),
    ("tokenfusion_mit_b2", {}),
    ("geminifusion_mit_b0", {"discriminator": "gmlp"}),
    ("geminifusion_swin_tiny", {"discriminator": "se"}),
    ("geminifusion_mit_b0", {"discriminator": "eca"}),
    ("two_stream_mit_b0", {"fusion": "shifted_window"}),
    ("two_stream_swin_tiny", {"fusion": "cross_attention"}),
]


@pytest.mark.parametrize(("name", "settings"), NETWORKS)
def test_sizes_and_channels(name: str, settings: dict[str, Any]) -> None:
    """Any size, any batch, one depth channel or three equal ones, half precision."""
    model = tiny(name, **settings)
    with torch.no_grad():
        for batch, height, width in ((2, 53, 73), (1, 32, 29)):
            rgb, depth = torch.randn(batch, 3, height, width), torch.rand(batch, 1, height, width)
            logits = model(rgb, depth).logits
            assert logits.shape == (batch, CLASSES, -(-height // 4), -(-width // 4))
            torch.testing.assert_close(model(rgb, depth.expand(-1, 3, -1, -1)).logits, logits)
        rgb, depth = torch.randn(2, 3, 32, 32), torch.rand(2, 1, 32, 32)
        whole = model(rgb, depth).logits
        alone = torch.cat([model(rgb[i : i + 1], depth[i : i + 1]).logits for i in (0, 1)])
        torch.testing.assert_close(alone, whole, atol=1e-5, rtol=1e-5)
        half = model.half()(rgb.half(), depth.half()).logits
        assert (half.float() - whole).abs().mean() < 0.02 * whole.abs().mean()


def test_swin_takes_a_single_pixel() -> None:
    pixel = torch.zeros(1, 3, 1, 1)
    with torch.no_grad():
        assert tiny("geminifusion_swin_tiny")(pixel, pixel).logits.shape == (1, CLASSES, 1, 1)


@pytest.mark.parametrize(("name", "settings"), NETWORKS)
def test_training_reaches_every_parameter_and_the_ensemble_only_alpha(
    name: str, settings: dict[str, Any]
) -> None:
    model = tiny(name, **settings).train()
    output = model(torch.randn(2, 3, 64, 72), torch.randn(2, 1, 64, 72))
    output.logits.square().sum().backward()
    assert [name for name, value in model.named_parameters() if value.grad is not None] == ["alpha"]
    (output.rgb_logits.square().mean() + output.depth_logits.square().mean()).backward()
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []


def test_epsilons() -> None:
    """Interchanged ones change the golden values by less than the tolerance."""
    for name, settings in NETWORKS[:2]:
        model = tiny(name, **settings)
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
