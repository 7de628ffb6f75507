"""Images that a network cannot take are named, by every family in the same words."""

from __future__ import annotations

import pytest
import torch

from rgbd_perception.errors import UserError
from rgbd_perception.models.inputs import InputError
from rgbd_perception.models.translation import TranslationConfig, TranslationGenerator
from test.models.tiny import tensors, tiny

ONE_CHANNEL = ["rgbd_mini", "dveformer_reducedres", "emsaformer_multitask_mlp"]
ANY_CHANNELS = [
    "geminifusion_mit_b0",
    "geminifusion_swin_tiny",
    "diffpixelformer_mit_b0",
    "tokenfusion_mit_b2",
    "two_stream_mit_b0",
]
FAMILIES = [*ONE_CHANNEL, *ANY_CHANNELS]


@pytest.mark.parametrize("name", FAMILIES)
def test_bad_shapes_are_named(name: str) -> None:
    model = tiny(name)
    for rgb, depth, message in [
        ((1, 4, 32, 32), (1, 1, 32, 32), r"expected rgb of shape \(B, 3, H, W\)"),
        ((1, 1, 32, 32), (1, 1, 32, 32), r"expected rgb of shape \(B, 3, H, W\)"),
        ((3, 32, 32), (1, 32, 32), r"expected rgb of shape \(B, 3, H, W\)"),
        ((1, 3, 32, 32), (1, 2, 32, 32), "expected depth of shape"),
        ((1, 3, 32, 32), (1, 1, 32, 64), "expected rgb and depth of one batch and size"),
        ((2, 3, 32, 32), (1, 1, 32, 32), "expected rgb and depth of one batch and size"),
        ((0, 3, 32, 32), (0, 1, 32, 32), "expected at least one image"),
    ]:
        with pytest.raises(InputError, match=message):
            model(torch.zeros(rgb), torch.zeros(depth))


@pytest.mark.parametrize("name", FAMILIES)
def test_bytes_are_not_normalised_values(name: str) -> None:
    with pytest.raises(InputError, match=r"rgb as normalised floating-point values, got torch\.uint8"):
        tiny(name)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.zeros(1, 1, 32, 32))


def test_the_error_is_for_users_and_for_callers() -> None:
    assert issubclass(InputError, UserError) and issubclass(InputError, ValueError)


@pytest.mark.parametrize("name", ONE_CHANNEL)
def test_depth_of_one_channel(name: str) -> None:
    with pytest.raises(InputError, match=r"depth of shape \(B, 1, H, W\)"):
        tiny(name)(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("emsaformer_multitask_mlp", (48, 64), "multiples of 32"),
        ("emsaformer_semantic_emsanet", (64, 80), "multiples of 32"),
        ("emsaformer_semantic_mlp", (1, 1), "multiples of 4 .*got 1 x 1"),
        ("rgbd_mini", (0, 32), "at least 1 x 1 pixels, got 0 x 32"),
        ("geminifusion_mit_b0", (28, 64), "at least 29 x 29 pixels, got 28 x 64"),
        ("tokenfusion_mit_b2", (1, 1), "at least 29 x 29"),
        ("geminifusion_deliver_mit_b0", (1, 1), "at least 29 x 29"),
        ("geminifusion_swin_tiny", (0, 0), "at least 1 x 1"),
    ],
)
def test_sizes_that_are_refused(name: str, size: tuple[int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny(name)(torch.zeros(1, 3, *size), torch.zeros(1, 1, *size))


@pytest.mark.parametrize("name", ["emsaformer_semantic_mlp", "dveformer_reducedres", "rgbd_mini"])
def test_pixels_beyond_the_last_patch_are_ignored(name: str) -> None:
    model = tiny(name)
    rgb, depth = torch.randn(1, 3, 47, 70), torch.randn(1, 1, 47, 70)
    with torch.no_grad():
        found = tensors(model(rgb, depth))
        wanted = tensors(model(rgb[:, :, :44, :68], depth[:, :, :44, :68]))
    for key, value in wanted.items():
        assert torch.equal(found[key], value)


def test_images_by_name_and_in_order() -> None:
    model = tiny("geminifusion_deliver_mit_b0", modalities=["img", "depth", "event"])
    image = torch.zeros(1, 3, 32, 32)
    with pytest.raises(InputError, match="expected 3 images"):
        model([image, image])
    with pytest.raises(InputError, match="expected the images img, depth, event, got img, depth, lidar"):
        model({"img": image, "depth": image, "lidar": image})
    with pytest.raises(InputError, match="expected event of shape"):
        model([image, image, image[:, :2]])


def test_translation_needs_whole_cells() -> None:
    config = TranslationConfig(widths=(8, 8, 8, 8, 8), depths=(1,) * 5, heads=(1,) * 5)
    with pytest.raises(InputError, match="multiples of 32"):
        TranslationGenerator(config)(torch.zeros(1, 3, 32, 48), torch.zeros(1, 3, 32, 48))
