"""EMSAFormer beyond the published numbers: variants, sizes, training."""

from __future__ import annotations

import pytest
import torch

from rgbd_perception.errors import UserError
from rgbd_perception.models import create_model
from test.models.tiny import CLASSES, tensors, tiny


def test_outputs_of_the_multi_task_network() -> None:
    model = tiny("emsaformer_multitask_mlp")
    with torch.no_grad():
        found = tensors(model(torch.randn(2, 3, 32, 64), torch.randn(2, 1, 32, 64)))
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    size = (32, 64)
    assert shapes == {
        "logits": (2, CLASSES, *size),
        "center": (2, 1, *size),
        "offset": (2, 2, *size),
        "orientation": (2, 2, *size),
        "scene": (2, 10),
    }
    assert found["center"].min() > 0 and found["center"].max() < 1
    torch.testing.assert_close(found["orientation"].norm(dim=1), torch.ones(2, *size))


def test_networks_for_scannet_have_no_orientation() -> None:
    model = tiny("emsaformer_multitask_emsanet", orientation=False, num_classes=20)
    with torch.no_grad():
        found = tensors(model(torch.randn(1, 3, 32, 32), torch.randn(1, 1, 32, 32)))
    assert set(found) == {"logits", "center", "offset", "scene"}
    assert found["logits"].shape[1] == 20


@pytest.mark.parametrize(
    ("name", "of_sides"),
    [
        ("emsaformer_semantic_mlp", None),
        ("emsaformer_semantic_emsanet", {"logits"}),
        ("emsaformer_multitask_mlp", {"center", "offset", "orientation"}),
        ("emsaformer_multitask_emsanet", {"logits", "center", "offset", "orientation"}),
    ],
)
def test_side_outputs_for_training_at_coarser_scales(name: str, of_sides: set[str] | None) -> None:
    model = tiny(name)
    pair = torch.randn(1, 3, 64, 96), torch.randn(1, 1, 64, 96)
    with torch.no_grad():
        output, *sides = model.forward_with_sides(*pair)
        usual = tensors(model(*pair))
    assert {field: value.tolist() for field, value in tensors(output).items()} == {
        field: value.tolist() for field, value in usual.items()
    }
    assert len(sides) == (0 if of_sides is None else 3)
    for side, stride in zip(sides, (32, 16, 8), strict=bool(sides)):
        found = tensors(side)
        assert set(found) == of_sides
        assert {tuple(value.shape[2:]) for value in found.values()} == {(64 // stride, 96 // stride)}


def test_every_parameter_learns_with_the_side_outputs() -> None:
    model = tiny("emsaformer_multitask_emsanet").train()
    outputs = model.forward_with_sides(torch.randn(2, 3, 64, 64), torch.randn(2, 1, 64, 64))
    values = [value for output in outputs for value in tensors(output).values()]
    sum((value * torch.randn_like(value)).sum() for value in values).backward()
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(UserError, match="mlp or emsanet"):
        create_model("emsaformer_semantic_mlp", semantic_decoder="unet")
