"""The top view shows the right thing at the right place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.viewer.top_view import BACKGROUND, draw_top_view

VOXEL = 0.05
RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)


def room() -> tuple[np.ndarray, np.ndarray]:
    """A floor of 4 x 3 m with a red pillar of 1 m at (1, 0.5) and a blue ceiling."""
    x, y = np.meshgrid(np.arange(0, 4, VOXEL), np.arange(0, 3, VOXEL))
    floor = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1) + VOXEL / 2
    ceiling = floor + np.array([0, 0, 2.5])
    heights = np.arange(0, 1, VOXEL)
    pillar = np.array([[1.025, 0.525, z + VOXEL / 2] for z in heights])
    centers = np.concatenate([ceiling, pillar, floor])
    colors = np.concatenate(
        [np.tile(BLUE, (len(ceiling), 1)), np.tile(RED, (len(pillar), 1)), np.tile(GREY, (len(floor), 1))]
    ).astype(np.uint8)
    return centers, colors


def test_the_highest_voxel_below_the_ceiling_is_seen_at_its_place() -> None:
    centers, colors = room()
    view = draw_top_view(centers, colors, VOXEL, size=(300, 500))
    column, row = view.pixel(1.025, 0.525)
    red, green, blue = view.image[int(row), int(column)]
    assert red > 200
    assert green == blue == 0
    assert not (view.image == BLUE).all(axis=2).any(), "the ceiling must be cut off"
    column, row = view.pixel(3.5, 2.5)
    assert view.image[int(row), int(column)].std() == 0


@settings(max_examples=25, deadline=None)
@given(x=st.floats(-20, 20), y=st.floats(-20, 20), height=st.integers(50, 400), width=st.integers(50, 400))
def test_every_map_lies_inside_its_picture(x: float, y: float, height: int, width: int) -> None:
    centers, colors = room()
    shifted = centers + np.array([x, y, 0])
    view = draw_top_view(shifted, colors, VOXEL, size=(height, width))
    assert view.image.shape == (height, width, 3)
    for px, py in ([x + 0.1, y + 0.1], [x + 3.9, y + 2.9]):
        column, row = view.pixel(px, py)
        assert 0 <= column < width
        assert 0 <= row < height
        assert tuple(view.image[int(row), int(column)]) != BACKGROUND


def test_an_empty_map_is_an_empty_picture() -> None:
    view = draw_top_view(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), VOXEL, size=(20, 30))
    assert (view.image == BACKGROUND).all()


def test_a_box_is_turned_about_its_centre() -> None:
    centers, colors = room()
    view = draw_top_view(centers, colors, VOXEL, size=(300, 500))
    outline = np.array(view.box_outline(np.array([2.0, 1.0, 0.3]), np.array([1.0, 0.2, 0.5]), np.pi / 2))
    extent = np.ptp(outline, axis=0) * view.metres_per_pixel
    assert extent == pytest.approx([0.2, 1.0])
    assert outline.mean(axis=0) == pytest.approx(view.pixel(2.0, 1.0))
