"""Rendering: depth is the geometry's, labels belong to instances, the sensor's noise is a sensor's."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.sources.synthetic.apartment import Apartment, RoomConfig, generate_apartment
from rgbd_perception.sources.synthetic.path import random_views
from rgbd_perception.sources.synthetic.render import Rendered, Renderer, View

SIZE = (120, 160)


@pytest.fixture(scope="module")
def apartment() -> Apartment:
    return generate_apartment(5, RoomConfig(rooms=2))


@pytest.fixture(scope="module")
def renderer(apartment: Apartment) -> Renderer:
    return Renderer(apartment)


@pytest.fixture(scope="module")
def views(apartment: Apartment, renderer: Renderer) -> list[View]:
    return list(random_views(apartment, 6, np.random.default_rng(1), SIZE, renderer))


@pytest.fixture(scope="module")
def exact(renderer: Renderer, views: list[View]) -> list[Rendered]:
    return [renderer.render(view, index, exact_depth=True) for index, view in enumerate(views)]


def _world_points(view: View, depth: np.ndarray) -> np.ndarray:
    k = view.intrinsics
    v, u = np.mgrid[: k.height, : k.width]
    camera = np.stack([(u - k.cx) / k.fx * depth, (v - k.cy) / k.fy * depth, depth], axis=-1)
    return camera @ view.pose[:3, :3].T + view.pose[:3, 3]


def test_rendering_is_repeatable(renderer: Renderer, views: list[View]) -> None:
    first, again, other = (renderer.render(views[0], seed) for seed in (7, 7, 8))
    for name in ("color", "depth", "label", "instance"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert first.color.tobytes() != other.color.tobytes()
    assert first.label.tobytes() == other.label.tobytes()


def test_exact_depth_lies_on_the_surfaces(
    renderer: Renderer, views: list[View], exact: list[Rendered]
) -> None:
    for view, rendered in zip(views, exact, strict=True):
        points = _world_points(view, rendered.depth.astype(np.float64))[rendered.depth > 0]
        off = renderer.clearance(points)
        assert np.quantile(off, 0.99) < 1e-4
        assert off.max() < 5e-3  # single precision, where a ray grazes an edge


def test_visible_points_lie_in_the_box_of_their_instance(
    apartment: Apartment, views: list[View], exact: list[Rendered]
) -> None:
    for view, rendered in zip(views, exact, strict=True):
        points = _world_points(view, rendered.depth.astype(np.float64))
        for index in np.unique(rendered.instance[rendered.instance > 0]):
            instance = apartment.instances[index - 1]
            offset = points[rendered.instance == index] - instance.box_center
            c, s = np.cos(instance.yaw), np.sin(instance.yaw)
            local = np.abs(offset @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))
            assert np.all(local <= np.array(instance.box_size) / 2 + 1e-3), instance


def test_labels_are_the_classes_of_the_instances(apartment: Apartment, exact: list[Rendered]) -> None:
    for rendered in exact:
        for index in np.unique(rendered.instance):
            expected = apartment.instances[index - 1].label if index else 65535
            assert np.all(rendered.label[rendered.instance == index] == expected)


def test_geometry_agrees_with_render(renderer: Renderer, views: list[View], exact: list[Rendered]) -> None:
    depth, instance = renderer.geometry(views[2])
    np.testing.assert_array_equal(depth, exact[2].depth)
    np.testing.assert_array_equal(instance, exact[2].instance)


def test_inside_of_rooms_has_no_gaps(exact: list[Rendered]) -> None:
    """Every ray ends on something: walls, floor and ceiling close the rooms."""
    assert all(np.all(rendered.instance > 0) for rendered in exact)


def test_sensor_noise_grows_with_distance_and_leaves_holes(
    renderer: Renderer, views: list[View], exact: list[Rendered]
) -> None:
    error: dict[bool, list[np.ndarray]] = {False: [], True: []}
    holes = []
    for index, (view, rendered) in enumerate(zip(views, exact, strict=True)):
        measured = renderer.render(view, index).depth
        holes.append(np.mean(measured == 0))
        for far in (False, True):
            part = (measured > 0) & ((rendered.depth > 2.5) == far)
            error[far].append((measured - rendered.depth)[part])
    near, far = (float(np.std(np.concatenate(error[key]))) for key in (False, True))
    assert 0.0003 < near < 0.03
    assert far > 1.5 * near
    assert 0.005 < np.mean(holes) < 0.5


def test_pictures_are_exposed(exact: list[Rendered]) -> None:
    """Neither black nor white, with structure."""
    for rendered in exact:
        assert 40 < rendered.color.mean() < 220
        assert rendered.color.std() > 10


def test_random_views_are_repeatable_and_varied(
    apartment: Apartment, renderer: Renderer, views: list[View]
) -> None:
    again = list(random_views(apartment, 6, np.random.default_rng(1), SIZE, renderer))
    assert all(a.pose.tobytes() == b.pose.tobytes() for a, b in zip(views, again, strict=True))
    assert len({view.intrinsics.fx for view in views}) == len(views)
    for view in views:
        field = 2 * np.degrees(np.arctan(view.intrinsics.width / 2 / view.intrinsics.fx))
        assert 54.9 < field < 75.1
    assert renderer.clearance(np.array([view.pose[:3, 3] for view in views])).min() > 0.1
