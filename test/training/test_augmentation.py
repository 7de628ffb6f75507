"""Augmentation keeps shapes, types and the meaning of 0; windows keep color, depth and rows together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.training.augment_color import ColorAugmentation, augment_color
from rgbd_perception.training.augment_depth import DepthAugmentation, augment_depth
from rgbd_perception.training.crops import CropConfig, random_crop
from rgbd_perception.training.shards import View

seeds = st.integers(0, 10_000)


def _depth(rng: np.random.Generator) -> np.ndarray:
    depth = rng.uniform(0.4, 6.0, (48, 64)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = 0.0
    return depth


@given(seed=seeds)
def test_depth_stays_metric_and_holes_stay_holes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    depth = _depth(rng)
    result = augment_depth(depth, DepthAugmentation(), rng)
    assert result.dtype == np.float32
    assert result.shape == depth.shape
    assert np.isfinite(result).all()
    assert (result >= 0).all()
    assert not result[depth == 0].any()
    kept = result > 0
    assert (np.abs(result[kept] / depth[kept] - 1.0) < 0.25).all()


def test_a_hole_does_not_count_as_a_jump_in_depth() -> None:
    depth = np.full((32, 32), 2.0, np.float32)
    depth[10, 10] = 0.0
    edges_only = DepthAugmentation(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    result = augment_depth(depth, edges_only, np.random.default_rng(0))
    assert (result == 0).sum() == 1


def test_edges_lose_depth() -> None:
    depth = np.full((32, 32), 2.0, np.float32)
    depth[:, 16:] = 4.0
    edges_only = DepthAugmentation(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    result = augment_depth(depth, edges_only, np.random.default_rng(0))
    assert not result[:, 15:17].any()
    assert result[:, :10].all()
    assert result[:, 22:].all()


@given(seed=seeds)
def test_color_stays_an_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    color = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    result = augment_color(color, ColorAugmentation(), rng)
    assert result.dtype == np.uint8
    assert result.shape == color.shape


def test_color_without_any_change_stays_as_it_is() -> None:
    color = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    nothing = ColorAugmentation(*(0.0,) * len(ColorAugmentation.__dataclass_fields__))
    result = augment_color(color, nothing, np.random.default_rng(1))
    assert np.abs(result.astype(int) - color.astype(int)).max() <= 1


@given(seed=seeds, zoom=st.sampled_from([(0.4, 0.6), (0.9, 1.1), (1.5, 2.5)]))
def test_windows_keep_the_three_images_together(seed: int, zoom: tuple[float, float]) -> None:
    """Rows, depth and color of a pixel come from the same place."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.repeat(rng.integers(0, 6, (6, 8)), 20, 0), 20, 1).astype(np.uint16)
    view = View(np.repeat((rows * 40).astype(np.uint8)[..., None], 3, 2), rows * 100, rows)
    window = random_crop(view, CropConfig((32, 48), zoom), rng)
    assert window.color.shape == (32, 48, 3)
    np.testing.assert_array_equal(window.depth, window.rows * 100)
    blurred = np.abs(window.color[..., 0].astype(int) - 40 * window.rows.astype(int))
    assert np.median(blurred) <= 1


def test_small_things_are_shown_more_often_than_by_chance() -> None:
    rows = np.ones((240, 320), np.uint16)
    rows[8:20, 300:312] = 2
    view = View(np.zeros((240, 320, 3), np.uint8), rows, rows)
    rng = np.random.default_rng(0)
    config = CropConfig((60, 80), (1.0, 1.0))
    seen = np.mean([(random_crop(view, config, rng).rows == 2).any() for _ in range(300)])
    assert seen > 0.2


@pytest.mark.parametrize("size", [(240, 320), (480, 640)])
def test_a_window_may_be_larger_than_the_view(size: tuple[int, int]) -> None:
    rows = np.ones((240, 320), np.uint16)
    view = View(np.zeros((240, 320, 3), np.uint8), rows, rows)
    window = random_crop(view, CropConfig(size, (0.5, 0.5)), np.random.default_rng(0))
    assert window.depth.shape == size
