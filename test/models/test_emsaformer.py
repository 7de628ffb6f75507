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


def test_side_outputs_for_training_at_coarser_scales() -> None:
    model = tiny("emsaformer_semantic_emsanet")
    with torch.no_grad():
        encoded = model.encode(torch.randn(1, 3, 64, 96), torch.randn(1, 1, 64, 96))
        sides = model.decoders["semantic_decoder"].side_outputs(encoded.context, encoded.skips)
    assert [tuple(side.shape) for side in sides] == [
        (1, CLASSES, 64 // stride, 96 // stride) for stride in (32, 16, 8)
    ]


def test_every_parameter_but_the_side_heads_learns() -> None:
    model = tiny("emsaformer_multitask_emsanet").train()
    output = model(torch.randn(2, 3, 64, 64), torch.randn(2, 1, 64, 64))
    sum((value * torch.randn_like(value)).sum() for value in tensors(output).values()).backward()
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert [name for name in idle if "_side_output_heads" not in name] == []


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(UserError, match="mlp or emsanet"):
        create_model("emsaformer_semantic_mlp", semantic_decoder="unet")
