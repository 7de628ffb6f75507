"""What every family of networks does with inputs that are odd, wrong or of low precision."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from rgbd_perception.errors import UserError
from rgbd_perception.models import create_model, registry
from rgbd_perception.models.inputs import InputError
from rgbd_perception.models.mit import MitConfig
from rgbd_perception.models.network import Network
from rgbd_perception.models.swin import SwinConfig
from test.models.tiny import tensors, tiny

MIT = MitConfig(widths=(8, 16, 40, 64), depths=(1, 1, 1, 1))
SWIN = SwinConfig(embed_dim=24, depths=(2, 2, 1, 1), heads=(1, 2, 4, 8), window=4)
TWO_STREAMS: dict[str, Any] = {"num_classes": 5, "decoder_dim": 16, "drop_path": 0.0, "input_size": (64, 64)}
NETWORKS: dict[str, dict[str, Any] | None] = {
    "rgbd_mini": None,
    "dveformer_reducedres": None,
    "dveformer_fullres": None,
    "emsaformer_semantic_mlp": None,
    "emsaformer_multitask_emsanet": None,
    "geminifusion_mit_b0": {"backbone": MIT},
    "geminifusion_swin_tiny": {"backbone": SWIN},
    "geminifusion_deliver_mit_b0": {"backbone": MIT},
    "diffpixelformer_mit_b0": {"backbone": MIT},
    "diffpixelformer_swin_tiny": {"backbone": SWIN},
    "tokenfusion_mit_b2": {"backbone": MIT},
}
"""Settings of the two-stream networks; None: see ``tiny``."""

FORMS = ("plain", "fused")


@cache
def network(name: str, form: str = "plain") -> Network:
    settings = NETWORKS[name]
    if form == "fused":
        return network(name).fused()
    if settings is None:
        return tiny(name)
    torch.manual_seed(0)
    return create_model(name, **TWO_STREAMS, **settings).eval()


def images(*size: int, batch: int = 1, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    rgb, depth = (torch.randn(batch, channels, *size, generator=generator) for channels in (3, 1))
    return rgb.to(dtype), depth.to(dtype)


def run(model: Network, pair: Sequence[Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        return tensors(model(*pair))


def test_every_family_has_a_representative() -> None:
    for family in registry._FAMILIES:
        assert set(family.names) & set(NETWORKS), family.module


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_that_are_no_multiples_of_32(name: str, form: str) -> None:
    model, (height, width) = network(name, form), (47, 70)
    multiple = model.config.input_multiple
    if multiple == 32:
        with pytest.raises(InputError, match="multiples of 32"):
            run(model, images(height, width))
        height, width = 64, 96
    maps = [value for value in run(model, images(height, width)).values() if value.ndim == 4]
    # Of the networks with two patch embeddings pixels beyond the last patch are ignored, others round up.
    sizes = {tuple(value.shape[2:]) for value in maps}
    stride = model.config.stride
    cut = {(height // 4 * 4 // stride, width // 4 * 4 // stride)}
    assert sizes in (cut, {(-(-height // stride), -(-width // stride))})
    assert all(torch.isfinite(value).all() for value in maps)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_one_pixel_works_or_the_least_size_is_named(name: str, form: str) -> None:
    model = network(name, form)
    if "swin" in name:
        assert all(torch.isfinite(value).all() for value in run(model, images(1, 1)).values())
    else:
        with pytest.raises(
            InputError, match=r"at least 29 x 29 pixels, got 1 x 1|multiples of .*, got 1 x 1"
        ):
            run(model, images(1, 1))
    least = max(model.min_size, model.config.input_multiple)
    assert all(torch.isfinite(value).all() for value in run(model, images(least, least)).values())


WRONG: dict[str, tuple[tuple[Tensor, Tensor], str]] = {
    "batch of 0": (images(64, 64, batch=0), "at least one image, got a batch of 0"),
    "four color channels": ((torch.zeros(1, 4, 64, 64), torch.zeros(1, 1, 64, 64)), "of shape .*, got .1, 4"),
    "one color channel": ((torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)), "of shape .*, got .1, 1"),
    "two depth channels": ((torch.zeros(1, 3, 64, 64), torch.zeros(1, 2, 64, 64)), "depth of shape"),
    "no batch": ((torch.zeros(3, 64, 64), torch.zeros(1, 64, 64)), "of shape"),
    "two sizes": ((torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 32)), "one batch and size"),
    "two batches": ((torch.zeros(2, 3, 64, 64), torch.zeros(1, 1, 64, 64)), "one batch and size"),
    "bytes": ((torch.zeros(1, 3, 64, 64).byte(), torch.zeros(1, 1, 64, 64)), "floating-point values"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", NETWORKS)
def test_wrong_shapes_are_named(name: str, wrong: str, form: str) -> None:
    pair, message = WRONG[wrong]
    with pytest.raises(InputError, match=message) as caught:
        run(network(name, form), pair)
    assert isinstance(caught.value, UserError) and "\n" not in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("which", "image"), [(0, "rgb|img"), (1, "depth")])
@pytest.mark.parametrize("name", NETWORKS)
def test_values_that_are_not_finite_are_reported(
    name: str, which: int, image: str, value: float, form: str
) -> None:
    pair = images(64, 64)
    pair[which][0, 0, 20, 30] = value
    with pytest.raises(InputError, match=f"finite values in ({image})"):
        run(network(name, form), pair)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.03), (torch.bfloat16, 0.2)])
@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_on_the_cpu(name: str, dtype: torch.dtype, tolerance: float, form: str) -> None:
    whole = run(network(name), images(64, 96))
    half = create_half(name, form, dtype)
    for key, value in run(half, images(64, 96, dtype=dtype)).items():
        assert value.dtype == dtype and torch.isfinite(value).all()
        scale = whole[key].abs().max()
        assert (value.float() - whole[key]).abs().mean() < tolerance * scale, key


def create_half(name: str, form: str, dtype: torch.dtype) -> Network:
    """A network of its own: ``to`` changes modules in place."""
    settings = NETWORKS[name]
    torch.manual_seed(0)
    model = tiny(name) if settings is None else create_model(name, **TWO_STREAMS, **settings).eval()
    return (model.fused() if form == "fused" else model).to(dtype)
