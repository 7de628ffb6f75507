"""What every family of networks does with sizes, values and precisions that are out of the ordinary.

Wrong shapes and types: see ``test_inputs``.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from rgbd_perception.models import registry
from rgbd_perception.models.inputs import InputError
from rgbd_perception.models.network import Network
from test.models.tiny import VARIANTS, tensors, tiny

FORMS = ("plain", "fused")
BY_ID = {"-".join((name, *overrides.values())): (name, overrides) for name, overrides in VARIANTS}


def new_network(variant: str, form: str) -> Network:
    name, overrides = BY_ID[variant]
    model = tiny(name, input_size=(64, 64), **overrides)
    return model.fused() if form == "fused" else model


@cache
def network(variant: str, form: str = "plain") -> Network:
    return new_network(variant, form)


def images(height: int, width: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    rgb, depth = (torch.randn(1, channels, height, width, generator=generator) for channels in (3, 1))
    return rgb.to(dtype), depth.to(dtype)


def run(model: Network, pair: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        return tensors(model(*pair))


def test_every_family_has_a_representative() -> None:
    for family in registry._FAMILIES:
        assert set(family.names) & {name for name, _ in VARIANTS}, family.module


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("variant", BY_ID)
def test_sizes_that_are_no_multiples_of_32(variant: str, form: str) -> None:
    model, (height, width) = network(variant, form), (47, 70)
    if model.config.input_multiple == 32:
        with pytest.raises(InputError, match=r"multiples of 32 .*got 47 x 70"):
            run(model, images(height, width))
        return
    stride = model.config.stride
    # Networks with two patch embeddings ignore pixels beyond the last patch, the others round up.
    sizes = {(44 // stride, 68 // stride), (-(-height // stride), -(-width // stride))}
    for value in run(model, images(height, width)).values():
        assert tuple(value.shape[2:]) in sizes
        assert torch.isfinite(value).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("variant", BY_ID)
def test_one_pixel_works_or_the_least_size_is_named(variant: str, form: str) -> None:
    model = network(variant, form)
    least = max(model.min_size, model.config.input_multiple)
    if "swin" in variant:
        least = 1
    else:
        with pytest.raises(InputError, match=rf"(at least|multiples of) {least}\b.*got 1 x 1"):
            run(model, images(1, 1))
    assert all(torch.isfinite(value).all() for value in run(model, images(least, least)).values())


@pytest.mark.parametrize(("form", "value"), [("plain", float("nan")), ("fused", -float("inf"))])
@pytest.mark.parametrize(("which", "image"), [(0, "rgb|img"), (1, "depth")])
@pytest.mark.parametrize("variant", BY_ID)
def test_values_that_are_not_finite_are_reported(
    variant: str, which: int, image: str, value: float, form: str
) -> None:
    pair = images(64, 64)
    pair[which][0, 0, 20, 30] = value
    with pytest.raises(InputError, match=f"finite values in ({image})"):
        run(network(variant, form), pair)


@pytest.mark.parametrize(
    ("form", "dtype", "tolerance"),
    [("plain", torch.float16, 0.03), ("fused", torch.float16, 0.03), ("fused", torch.bfloat16, 0.2)],
)
@pytest.mark.parametrize("variant", BY_ID)
def test_half_precision_on_the_cpu(variant: str, dtype: torch.dtype, tolerance: float, form: str) -> None:
    whole = run(network(variant), images(64, 96))
    half = new_network(variant, form).to(dtype)
    for key, value in run(half, images(64, 96, dtype)).items():
        assert value.dtype == dtype and torch.isfinite(value).all()
        assert (value.float() - whole[key]).abs().mean() < tolerance * whole[key].abs().max(), key
