"""Relation discriminators: what they see, what they return, and that their choice matters."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from rgbd_perception.errors import UserError
from rgbd_perception.models import create_model
from rgbd_perception.models.discriminators import DiscriminatorName, make_discriminator
from rgbd_perception.models.dsim import Dsim
from rgbd_perception.models.pixel_fusion import GeminiFusion
from test.models.tiny import tiny

NAMES: tuple[DiscriminatorName, ...] = get_args(DiscriminatorName)
DIM = 16
PARAMETERS = {
    "softmax": 3 * DIM**2 + 2 * DIM,
    "sigmoid": 3 * DIM**2 + 2 * DIM,
    "gmlp": 6 * DIM**2 + 9 * DIM + 64**2 + 64,
    "se": 2 * (2 * DIM) + 2 + 2 * DIM + DIM,
    "eca": 2 * 3,
}


def judged(name: DiscriminatorName, x: Tensor) -> Tensor:
    torch.manual_seed(0)
    with torch.no_grad():
        return make_discriminator(name, DIM)(x)


def pairs(height: int = 9, width: int = 12) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, height, width, 2 * DIM)


@pytest.mark.parametrize("name", NAMES)
def test_scores(name: DiscriminatorName) -> None:
    x = pairs()
    scores = judged(name, x)
    assert torch.broadcast_to(scores, (2, 9, 12, DIM)).shape == (2, 9, 12, DIM)
    assert (scores > 0).all() and (scores < 1).all()
    if name in ("softmax", "gmlp"):
        torch.testing.assert_close(scores.sum(dim=-1), torch.ones(2, 9, 12))
    alone = torch.cat([judged(name, image[None]) for image in x])
    torch.testing.assert_close(scores, alone)  # nothing crosses images


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (3, 40)])
def test_any_size(name: DiscriminatorName, size: tuple[int, int]) -> None:
    scores = judged(name, pairs(*size))
    assert scores.isfinite().all() and scores.shape[-1] == DIM


@pytest.mark.parametrize("name", NAMES)
def test_which_pixels_are_seen(name: DiscriminatorName) -> None:
    """An MLP sees its own pixel, the others see the whole image."""
    x = pairs()
    moved = x.clone()
    moved[:, 8, 11] += 5.0
    change = (judged(name, moved) - judged(name, x)).abs().amax(dim=-1)
    assert (change > 0).all() if name in ("gmlp", "se", "eca") else not change[:, :8].any()
    assert change[:, -1, -1].all()


@pytest.mark.parametrize("name", NAMES)
def test_both_streams_count_in_their_order(name: DiscriminatorName) -> None:
    x = pairs()
    swapped = torch.cat(x.chunk(2, dim=-1)[::-1], dim=-1)
    assert not torch.allclose(judged(name, x), judged(name, swapped))


@pytest.mark.parametrize("name", NAMES)
def test_parameters(name: DiscriminatorName) -> None:
    module = make_discriminator(name, DIM)
    assert sum(parameter.numel() for parameter in module.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize(("dim", "length"), [(64, 3), (128, 5), (320, 5), (512, 5)])
def test_length_of_the_channel_convolution(dim: int, length: int) -> None:
    """The nearest odd number to (log2(C) + 1) / 2, as its paper's code rounds it."""
    convolution = make_discriminator("eca", dim)[0].conv
    assert convolution.kernel_size == (length,)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fusion", [GeminiFusion, Dsim])
def test_every_parameter_takes_part(fusion: type[GeminiFusion], name: DiscriminatorName) -> None:
    torch.manual_seed(0)
    settings = {"mode": "paper"} if fusion is Dsim else {}
    chosen = fusion(discriminator=name, **settings)
    host = nn.Module()
    chosen.equip(host, DIM)
    chosen.fuse(host, torch.randn(4, 3, 5, DIM)).square().sum().backward()
    idle = [key for key, value in host.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []


def test_the_choice_reaches_the_class_scores() -> None:
    torch.manual_seed(2)
    rgb, depth = torch.randn(1, 3, 32, 32), torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        softmax = tiny("geminifusion_mit_b0", discriminator="softmax")(rgb, depth).logits
        sigmoid = tiny("geminifusion_mit_b0", discriminator="sigmoid")(rgb, depth).logits
        published = tiny("geminifusion_mit_b0")(rgb, depth).logits
    torch.testing.assert_close(published, softmax)
    assert (softmax - sigmoid).abs().max() > 1e-4


@pytest.mark.parametrize(
    "name", ["geminifusion_mit_b0", "diffpixelformer_mit_b0", "diffpixelformer_swin_tiny"]
)
def test_unknown_names(name: str) -> None:
    with pytest.raises(UserError, match="expected discriminator softmax, sigmoid, gmlp, se, eca, got 'mlp'"):
        create_model(name, discriminator="mlp")


def test_released_dsim_refuses_a_choice_without_effect() -> None:
    with pytest.raises(UserError, match="expected mode stacked or paper for discriminator se"):
        create_model("diffpixelformer_mit_b0", discriminator="se")
    assert Dsim(mode="released", discriminator="sigmoid").chosen_discriminator == "sigmoid"
