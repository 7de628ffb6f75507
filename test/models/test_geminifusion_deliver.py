"""GeminiFusion with two to four modalities: golden values, sizes, and how the extra streams are merged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rgbd_perception.errors import UserError
from rgbd_perception.models import create_model
from rgbd_perception.models.geminifusion_deliver import ExtraGates
from rgbd_perception.models.network import Network
from test.models.golden_fusion import Golden, shapes_of
from test.models.tiny import CLASSES, tiny

ALL = ["img", "depth", "event", "lidar"]


def small(modalities: list[str]) -> Network:
    return tiny("geminifusion_deliver_mit_b0", modalities=modalities)


def images(count: int) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(2, 3, 60, 68) for _ in range(count)]


def test_golden_values(shared_data: Path) -> None:
    golden = Golden(shared_data, "geminifusion_deliver_mit_b2_rgbd")
    model = create_model("geminifusion_deliver_mit_b2").eval()
    assert shapes_of(model) == golden.shapes
    golden.fill(model)
    with torch.no_grad():
        output = model(*golden.inputs)
        features = model.features(golden.inputs)
        low = model.decode_head(features)
    for stage, maps in enumerate(features, start=1):
        golden.check(f"feat_rgb_stage{stage}", maps[:1])
        golden.check(f"feat_depth_stage{stage}", maps[1:])
    golden.check("low_rgb", low[:1])
    golden.check("low_depth", low[1:])
    golden.check("logits_rgb_sub", output.rgb_logits[:, :, ::7, ::5])
    golden.check("logits_depth_sub", output.depth_logits[:, :, ::7, ::5])
    golden.check("logits_ens_sub", output.logits[:, :, ::7, ::5])


@pytest.mark.parametrize(
    ("name", "count", "tensors", "parameters"),
    [
        ("mit_b2", 2, 679, 42_134_491),
        ("mit_b2", 3, 735, 42_170_343),
        ("mit_b2", 4, 759, 42_183_659),
        ("mit_b0", 4, None, 6_810_000),
        ("mit_b1", 3, None, 23_290_000),
    ],
)
def test_parameters(name: str, count: int, tensors: int | None, parameters: int) -> None:
    with torch.device("meta"):
        model = create_model(f"geminifusion_deliver_{name}", modalities=ALL[:count])
    found = sum(value.numel() for value in model.parameters())
    if tensors is None:  # known to a thousand
        assert round(found, -3) == parameters
    else:
        assert (len(model.state_dict()), found) == (tensors, parameters)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_every_image_counts_and_has_its_place(count: int) -> None:
    model, given = small(ALL[:count]), images(count)
    with torch.no_grad():
        base = model(given)
        named = model(dict(zip(ALL, given, strict=False)))
        assert base.logits.shape == (2, CLASSES, 60, 68)
        torch.testing.assert_close(named.logits, base.logits)
        for index in range(count):
            changed = [torch.zeros_like(x) if at == index else x for at, x in enumerate(given)]
            assert not torch.allclose(model(changed).logits, base.logits)


def test_gradients_reach_all_but_the_last_gates() -> None:
    model = small(ALL).train()
    output = model(images(4))
    (output.logits.square().sum() + output.rgb_logits.square().sum() + output.depth_logits.sum()).backward()
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle and all(".score_nets.3." in name for name in idle)


def test_gates_strengthen_and_never_remove() -> None:
    torch.manual_seed(2)
    extras = [torch.randn(1, 3, 5, 8) for _ in range(2)]
    with torch.no_grad():
        for extra, gated in zip(extras, ExtraGates(8, 3)(extras), strict=True):
            factor = gated / extra
            assert factor.min() > 1.0 and factor.max() < 2.0
            torch.testing.assert_close(factor, factor[..., :1].expand_as(factor), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "modalities", [["img"], ["depth", "img"], ["img", "depth", "depth"], ["img", "radar"], []]
)
def test_modalities_that_are_refused(modalities: list[str]) -> None:
    with pytest.raises(UserError, match="'img' first"):
        create_model("geminifusion_deliver_mit_b0", modalities=modalities)
