"""The form for inference is the same function, in every precision, and can be exported."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rgbd_perception.models import ModelOutput
from rgbd_perception.models.network import Network
from test.models.tiny import SIZE, tensors, tiny

MODELS = [
    "rgbd_mini",
    "dveformer_reducedres",
    "dveformer_fullres",
    "emsaformer_semantic_mlp",
    "emsaformer_semantic_emsanet",
    "emsaformer_multitask_mlp",
    "emsaformer_multitask_emsanet",
]


def inputs(size: tuple[int, int] = SIZE, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Color and depth of two images."""
    torch.manual_seed(1)
    return torch.randn(2, 3, *size).to(dtype), torch.randn(2, 1, *size).to(dtype)


@torch.no_grad()
def run(model: Network, rgb: Tensor, depth: Tensor) -> dict[str, Tensor]:
    return tensors(model(rgb, depth))


@pytest.mark.parametrize("name", MODELS)
def test_equal_in_both_precisions(name: str) -> None:
    model = tiny(name)
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


def test_nothing_is_left_to_fold() -> None:
    fused = tiny("emsaformer_multitask_emsanet").fused()
    assert not [module for module in fused.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not [name for name, _ in fused.named_parameters() if "cpb_mlp" in name]
    assert not [name for name, _ in fused.named_parameters() if "_side_output_heads" in name]
    keys = [value.chunk(3)[1] for name, value in fused.named_parameters() if name.endswith("qkv.bias")]
    assert keys and not any(key.any() for key in keys)


@pytest.mark.parametrize("size", [(64, 64), (128, 96)])
def test_other_sizes_than_the_prepared_one(size: tuple[int, int]) -> None:
    model = tiny("emsaformer_multitask_mlp")
    plain, fused = run(model, *inputs(size)), run(model.fused(), *inputs(size))
    for key, wanted in plain.items():
        torch.testing.assert_close(fused[key], wanted, atol=5e-5, rtol=1e-5, msg=key)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_finite_and_near(dtype: torch.dtype) -> None:
    model = tiny("emsaformer_multitask_emsanet")
    wanted = run(model, *inputs())
    found = run(model.fused().to(dtype), *inputs(dtype=dtype))
    for key, value in found.items():
        assert value.dtype == dtype
        error = (value.float() - wanted[key]).abs().mean() / wanted[key].abs().mean()
        assert error < 0.05, (key, float(error))


class _Logits(nn.Module):
    """Exporters want tensors."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        output: ModelOutput = self.model(rgb, depth)
        assert output.logits is not None
        return output.logits


def test_exports_with_constants_only() -> None:
    """No sigmoid of a position bias, no mask in the graph: they are constants of the prepared size."""
    model = tiny("emsaformer_semantic_mlp").fused()
    rgb, depth = inputs()
    exported = torch.export.export(_Logits(model), (rgb, depth))
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(rgb, depth), model(rgb, depth).logits)
    called = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert not {name for name in called if "sigmoid" in name or "masked_fill" in name or "roll" in name}
