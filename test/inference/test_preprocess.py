"""Preprocessing: geometry, missing depth, and equality with the published networks' own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.inference.preprocess import (
    clean_depth,
    downscale_factor,
    normalize,
    pad_to_multiple,
    shrink_color,
    shrink_depth,
)

SIDES = st.integers(1, 40)
FACTORS = st.integers(1, 5)


@pytest.mark.parametrize(
    ("shape", "factor"),
    [((240, 320), 1), ((480, 640), 2), ((360, 540), 2), ((720, 1280), 3), ((1080, 1440), 4), ((60, 80), 1)],
)
def test_downscale_factor(shape: tuple[int, int], factor: int) -> None:
    assert downscale_factor(shape, (240, 320)) == factor


@given(SIDES, SIDES, FACTORS, st.integers(0, 2**32 - 1))
def test_shrinking_keeps_the_grid(height: int, width: int, factor: int, seed: int) -> None:
    """Every output pixel is about its own block, also where the last block is cut."""
    rng = np.random.default_rng(seed)
    color = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = np.where(rng.random((height, width)) < 0.5, rng.random((height, width)) + 1, 0).astype(np.float32)
    small_color, small_depth = shrink_color(color, factor), shrink_depth(depth, factor)
    assert small_color.shape[:2] == small_depth.shape == (-(-height // factor), -(-width // factor))
    for row, column in np.ndindex(*small_depth.shape):
        block = np.s_[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        values = depth[block]
        assert (
            small_depth[row, column] in values[values > 0] if values.any() else small_depth[row, column] == 0
        )
        assert (small_color[row, column] >= color[block].min(axis=(0, 1))).all()
        assert (small_color[row, column] <= color[block].max(axis=(0, 1))).all()
        if values.size == factor**2:
            np.testing.assert_allclose(small_color[row, column], color[block].mean(axis=(0, 1)), atol=1)


def test_what_is_no_measurement_is_never_picked() -> None:
    depth = np.array([[np.nan, np.inf, -1, 0], [25.0, 3.0, np.nan, 20.1]], np.float32)
    np.testing.assert_array_equal(shrink_depth(depth, 2), [[3, 0]])
    depth.flags.writeable = False  # as messages are
    np.testing.assert_array_equal(shrink_depth(depth, 2), [[3, 0]])


def test_halves_are_picked_as_any_other_share() -> None:
    """Whole blocks of 2 x 2 have a kernel of their own; an odd row more, and they go the general way."""
    rng = np.random.default_rng(6)
    depth = rng.choice(np.array([0, -1, np.nan, 30, 1, 2, 3, 4, 5], np.float32), (40, 60))
    odd = np.vstack((depth, np.zeros((1, 60), np.float32)))
    np.testing.assert_array_equal(shrink_depth(depth, 2), shrink_depth(odd, 2)[:-1])


def test_shrunk_depth_is_from_the_middle_of_the_block() -> None:
    depth = np.arange(1, 26, dtype=np.float32).reshape(5, 5)
    assert shrink_depth(depth, 5)[0, 0] == 13
    depth[2, 2] = 0
    assert shrink_depth(depth, 5)[0, 0] in (8, 12, 14, 18)


def test_what_is_no_measurement_becomes_zero() -> None:
    depth = np.array([[0.5, 0, -1, np.nan, np.inf, -np.inf, 1e9, 19.9]], np.float32)
    np.testing.assert_array_equal(clean_depth(depth), np.array([[0.5, 0, 0, 0, 0, 0, 0, 19.9]], np.float32))


def test_normalisation_equals_the_published_one(shared_data: Path) -> None:
    path = shared_data.parent / "reference" / "parity" / "dveformer" / "preprocessing.npz"
    if not path.is_file():
        pytest.skip(f"no golden values at {path}")
    golden = np.load(path)
    rgb, depth = normalize(
        torch.from_numpy(golden["resized_rgb_uint8"])[None],
        torch.from_numpy(golden["resized_depth_uint16"].astype(np.float32) / 1000)[None],
        2.84194941272766,
        1.4172594281672277,
    )
    np.testing.assert_allclose(rgb[0].numpy(), golden["rgb"], atol=1e-5)
    np.testing.assert_allclose(depth[0].numpy(), golden["depth_nyuv2"], atol=1e-5)
    assert (golden["resized_depth_uint16"] == 0).any(), "the sample should have holes"


def test_padding_is_at_the_right_and_at_the_bottom() -> None:
    x = torch.ones(1, 2, 5, 8)
    padded = pad_to_multiple(x, 4)
    assert padded.shape == (1, 2, 8, 8)
    assert padded[:, :, :5].eq(1).all() and padded[:, :, 5:].eq(0).all()
    assert pad_to_multiple(padded, 4) is padded
