"""The form for inference is the same function, in every precision, and can be exported."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rgbd_perception.models.network import Network
from test.models.tiny import SIZE, VARIANTS, tensors, tiny


def inputs(size: tuple[int, int] = SIZE, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Color and depth of two images."""
    torch.manual_seed(1)
    return torch.randn(2, 3, *size).to(dtype), torch.randn(2, 1, *size).to(dtype)


@torch.no_grad()
def run(model: Network, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
    return tensors(model(rgb, depth))


@pytest.mark.parametrize(("name", "overrides"), VARIANTS)
def test_equal_in_both_precisions(name: str, overrides: dict[str, Any]) -> None:
    model = tiny(name, **overrides)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    plain, fused = run(model, *inputs()), run(model.fused(), *inputs())
    assert fused.keys() == plain.keys()
    for key, wanted in plain.items():
        torch.testing.assert_close(fused[key], wanted, atol=5e-5, rtol=1e-5, msg=key)
    for key, value in model.state_dict().items():  # the original can still be trained
        assert torch.equal(value, before[key])
    model.double()
    plain, fused = run(model, *inputs(dtype=torch.float64)), run(model.fused(), *inputs(dtype=torch.float64))
    for key, wanted in plain.items():
        difference = (fused[key] - wanted).abs().max() / wanted.abs().max()
        assert difference < 1e-9, key


@pytest.mark.parametrize(("name", "overrides"), VARIANTS)
def test_nothing_is_left_to_fold(name: str, overrides: dict[str, Any]) -> None:
    fused = tiny(name, **overrides).fused()
    assert not [module for module in fused.modules() if isinstance(module, nn.BatchNorm2d)]
    left = [key for key, _ in fused.named_parameters()]
    for part in ("cpb_mlp", "position_bias_table", "_side_output_heads"):
        assert not [key for key in left if part in key]
    assert not any(parameter.requires_grad for parameter in fused.parameters())


def test_the_key_bias_of_swin_v2_is_zero() -> None:
    fused = tiny("emsaformer_multitask_emsanet").fused()
    keys = [value.chunk(3)[1] for name, value in fused.named_parameters() if name.endswith("qkv.bias")]
    assert keys and not any(key.any() for key in keys)


@pytest.mark.parametrize("name", ["geminifusion_mit_b0", "diffpixelformer_mit_b0"])
def test_fusions_in_closed_form_are_less_work(name: str) -> None:
    plain = tiny(name, decoder_dim=64)
    fused = plain.fused()
    compute = []
    for model in (plain, fused):
        with FlopCounterMode(display=False) as counter:
            run(model, *inputs())
        compute.append(counter.get_total_flops())
    assert compute[1] < 0.9 * compute[0]
    assert not any("relation_judger" in key or "cross_attn" in key for key in fused.state_dict())


@pytest.mark.parametrize("size", [(64, 64), (128, 96)])
@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("emsaformer_multitask_mlp", {}),
        ("geminifusion_swin_tiny", {}),
        ("two_stream_mit_b0", {"fusion": "shifted_window"}),
    ],
)
def test_other_sizes_than_the_prepared_one(
    name: str, overrides: dict[str, Any], size: tuple[int, int]
) -> None:
    model = tiny(name, **overrides)
    plain, fused = run(model, *inputs(size)), run(model.fused(), *inputs(size))
    for key, wanted in plain.items():
        torch.testing.assert_close(fused[key], wanted, atol=5e-5, rtol=1e-5, msg=key)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("emsaformer_multitask_emsanet", {}),
        ("geminifusion_mit_b0", {}),
        ("geminifusion_mit_b0", {"discriminator": "gmlp"}),
        ("geminifusion_mit_b0", {"discriminator": "se"}),
        ("geminifusion_mit_b0", {"discriminator": "eca"}),
        ("geminifusion_swin_tiny", {}),
        ("tokenfusion_mit_b2", {}),
        ("two_stream_mit_b0", {"fusion": "cross_attention"}),
        ("two_stream_mit_b0", {"fusion": "shifted_window"}),
        ("two_stream_swin_tiny", {"fusion": "pixel_wise"}),
    ],
)
def test_half_precision_stays_finite_and_near(
    name: str, overrides: dict[str, Any], dtype: torch.dtype
) -> None:
    model = tiny(name, **overrides)
    wanted = run(model, *inputs())
    found = run(model.fused().to(dtype), *inputs(dtype=dtype))
    for key, value in found.items():
        assert value.dtype == dtype
        error = (value.float() - wanted[key]).abs().mean() / wanted[key].abs().mean()
        # A dozen roundings: a processor that multiplies bfloat16 itself (AMX) rounds more often than others.
        assert error < 12 * torch.finfo(dtype).eps, (key, float(error))


class _Tensors(nn.Module):
    """Exporters want tensors."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, rgb: Tensor, depth: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensors(self.model(rgb, depth)).values())


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("dveformer_fullres", {}),
        pytest.param("emsaformer_multitask_mlp", {}, marks=pytest.mark.slow),
        ("geminifusion_swin_tiny", {}),
        ("geminifusion_mit_b0", {"discriminator": "gmlp"}),
        ("two_stream_mit_b0", {"fusion": "shifted_window"}),
        pytest.param("two_stream_swin_tiny", {"fusion": "cross_attention"}, marks=pytest.mark.slow),
    ],
)
def test_exports_with_constants_only(name: str, overrides: dict[str, Any]) -> None:
    """No mask and no position bias is worked out in the graph: they are constants of the prepared size."""
    model = tiny(name, **overrides).fused()
    rgb, depth = inputs()
    exported = torch.export.export(_Tensors(model), (rgb, depth))
    wanted = run(model, rgb, depth)
    with torch.no_grad():
        for found, value in zip(exported.module()(rgb, depth), wanted.values(), strict=True):
            torch.testing.assert_close(found, value)
    called = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert not {
        name for name in called if "masked_fill" in name or "roll" in name or "aten.index.Tensor" in name
    }
