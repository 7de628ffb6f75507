"""Geometry of a labelled view: its images, its camera and its angles stay together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.training.datasets.views import IGNORED, LabelledView
from rgbd_perception.training.view_geometry import Padding, Window, cut_view, mirror_view, resize_view
from test.training.datasets.made import SHAPE, made_view


def point(view: LabelledView, row: int, column: int) -> tuple[float, float]:
    """Where the ray of a pixel meets the plane at 1 m."""
    camera = view.intrinsics
    assert camera is not None
    return (column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy


def consistent(view: LabelledView) -> bool:
    """Whether all images still say the same class in every pixel with a label."""
    assert view.depth is not None
    assert view.instance is not None
    assert view.segments is not None
    inside = view.semantic != IGNORED
    labels = view.semantic[inside]
    return bool(
        (view.depth[inside] == 1.0 + labels).all()
        and (view.color[inside][:, 0] == 40 + 60 * labels).all()
        and (view.modalities["hha"][inside][:, 2] == 20 * labels).all()
        and (view.instance[inside] == labels).all()
        and (view.segments[inside] == 70_000 * labels.astype(int)).all()
    )


def test_mirroring_twice_is_nothing() -> None:
    view = made_view()
    twice = mirror_view(mirror_view(view))
    assert np.array_equal(twice.semantic, view.semantic)
    assert np.array_equal(twice.modalities["hha"], view.modalities["hha"])
    assert twice.intrinsics == view.intrinsics
    assert twice.orientations == pytest.approx(dict(view.orientations))


def test_a_mirrored_view_is_that_of_a_mirrored_world() -> None:
    view = made_view()
    mirrored = mirror_view(view)
    x, y = point(view, 10, 3)
    assert point(mirrored, 10, SHAPE[1] - 1 - 3) == pytest.approx((-x, y))
    assert np.array_equal(mirrored.color[10, SHAPE[1] - 1 - 3], view.color[10, 3])
    for instance, angle in view.orientations.items():
        assert math.cos(mirrored.orientations[instance]) == pytest.approx(math.cos(angle))
        assert math.sin(mirrored.orientations[instance]) == pytest.approx(-math.sin(angle))


@given(
    top=st.integers(-20, 39), left=st.integers(-20, 55), height=st.integers(1, 60), width=st.integers(1, 80)
)
def test_a_window_keeps_rays_and_labels(top: int, left: int, height: int, width: int) -> None:
    view = made_view()
    padding = Padding((9.0, 9.0, 9.0), 0.5)
    part = cut_view(view, Window(top, left, height, width), padding)
    assert part.shape == (height, width)
    assert consistent(part)
    assert point(part, 0, 0) == pytest.approx(point(view, top, left))
    rows, columns = np.mgrid[top : top + height, left : left + width]
    outside = (rows < 0) | (rows >= SHAPE[0]) | (columns < 0) | (columns >= SHAPE[1])
    assert part.depth is not None
    assert part.instance is not None
    assert (part.depth[outside] == 0.5).all()
    assert (part.color[outside] == 9).all()
    assert (part.semantic[outside] == IGNORED).all()
    assert not part.instance[outside].any()
    inside = ~outside
    assert np.array_equal(part.semantic[inside], view.semantic[rows[inside], columns[inside]])


def test_a_larger_view_is_seen_by_a_larger_camera() -> None:
    view = made_view()
    larger = resize_view(view, (2 * SHAPE[0], 3 * SHAPE[1]))
    assert larger.shape == (80, 168)
    camera = larger.intrinsics
    assert camera is not None
    assert (camera.fx, camera.fy) == (150.0, 100.0)
    # the middle of the three columns and between the two rows of pixel (10, 20)
    assert point(larger, 20, 61)[0] == pytest.approx(point(view, 10, 20)[0])
    assert np.mean([point(larger, row, 61)[1] for row in (20, 21)]) == pytest.approx(point(view, 10, 20)[1])
    assert larger.depth is not None
    assert set(np.unique(larger.depth)) == set(np.unique(view.depth))
    assert np.array_equal(larger.semantic[::2, ::3], view.semantic)
