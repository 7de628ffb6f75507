"""Cells of the grid: depth and color of one surface only, viewing angles."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.mapping.grid import sample_grid


def _frame(depth: np.ndarray, color: np.ndarray | None = None) -> RgbdFrame:
    height, width = depth.shape
    if color is None:
        color = np.zeros((height, width, 3), np.uint8)
    return RgbdFrame(
        color, depth.astype(np.float32), CameraIntrinsics(50, 50, width / 2, height / 2, width, height)
    )


@given(
    near=st.floats(0.5, 3.0),
    gap=st.floats(0.3, 3.0),
    is_near=hnp.arrays(bool, (8, 12)),
    noise=hnp.arrays(np.float32, (8, 12), elements=st.floats(-0.0078125, 0.0078125, width=32)),
)
def test_depth_is_measured_on_the_larger_of_two_surfaces(near, gap, is_near, noise):
    depth = np.where(is_near, near, near + gap) + noise
    samples = sample_grid(_frame(depth), 4)
    for row in range(2):
        for column in range(3):
            block = np.s_[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4]
            front = int(is_near[block].sum())
            surface = depth[block][is_near[block] if front >= 8 else ~is_near[block]].astype(np.float32)
            assert samples.depth[row, column] in surface
            assert np.isclose(samples.depth[row, column], np.sort(surface)[(surface.size - 1) // 2])
            assert np.isclose(samples.support[row, column], surface.size / 16)
            assert samples.nearest[row, column] == depth[block].astype(np.float32).min()


@given(
    hnp.arrays(np.float32, (7, 9), elements=st.sampled_from([0.0, -1.0, np.nan, np.inf, 1.0, 2.0, 2.01])),
    st.integers(1, 9),
)
def test_depth_is_always_a_measured_value(depth, stride):
    samples = sample_grid(_frame(depth), stride)
    assert samples.depth.shape == (-(-7 // stride), -(-9 // stride))
    for (row, column), value in np.ndenumerate(samples.depth):
        block = depth[row * stride : (row + 1) * stride, column * stride : (column + 1) * stride]
        valid = block[np.isfinite(block) & (block > 0)]
        assert (value in valid) if valid.size else value == 0


def test_cells_of_one_pixel_are_the_pixels():
    depth = np.array([[1.0, 0.0, 2.0], [np.nan, 1.5, -1.0]])
    color = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    samples = sample_grid(_frame(depth, color), 1)
    valid = depth > 0
    assert np.array_equal(samples.support, valid)
    assert np.array_equal(samples.depth, np.where(valid, depth, 0))
    assert np.array_equal(samples.nearest, samples.depth)
    assert np.array_equal(samples.color, color * valid[..., None])


def test_color_is_the_mean_over_the_chosen_surface_only():
    depth = np.full((4, 4), 1.0)
    depth[:, 3] = 3.0
    color = np.full((4, 4, 3), 10, np.uint8)
    color[:, 3] = 250
    color[0, 0] = (22, 10, 10)
    samples = sample_grid(_frame(depth, color), 4)
    np.testing.assert_allclose(samples.color[0, 0], [11, 10, 10])


def test_large_cells_agree_with_small_ones_on_a_plane():
    depth = np.full((128, 128), 2.0)
    for stride in (4, 16, 64):
        samples = sample_grid(_frame(depth), stride)
        assert np.all(samples.depth == 2.0)
        assert np.all(samples.support == 1.0)


def test_cosine_is_one_head_on_and_small_at_a_grazing_angle():
    head_on = sample_grid(_frame(np.full((32, 32), 2.0)), 4).cosine
    assert head_on[4, 4] > 0.99
    v = np.arange(64)[:, None] * np.ones((1, 64))
    floor = 50 * 0.5 / np.maximum(v - 32, 1e-3)  # half a metre below the camera
    floor[v <= 40] = 0
    grazing = sample_grid(_frame(floor), 4)
    steep, shallow = grazing.cosine[15, 8], grazing.cosine[11, 8]
    expected = 0.5 / np.hypot(0.5, grazing.depth[15, 8])
    assert abs(steep - expected) < 0.05
    assert shallow < steep
