"""Shapes: every variant of every class is a sound mesh of a believable size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.sources.synthetic import mesh as m
from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES
from rgbd_perception.sources.synthetic.shapes import VARIANTS, make_shape

LARGEST = 3.2


def test_every_furniture_class_has_several_variants() -> None:
    assert list(VARIANTS) == list(CLASS_NAMES[5:])
    assert all(len(makers) >= 3 for makers in VARIANTS.values())


@pytest.mark.parametrize("class_name", CLASS_NAMES[5:])
def test_variants_are_sound_meshes(class_name: str) -> None:
    for maker in VARIANTS[class_name]:
        for seed in range(4):
            shape = maker(np.random.default_rng(seed))
            mesh = shape.mesh
            assert np.all(np.isfinite(mesh.vertices)), maker
            assert mesh.triangles.min() >= 0 and mesh.triangles.max() < len(mesh.vertices)
            assert len(shape.part) == len(mesh.triangles)
            assert shape.part.max() < len(shape.materials)
            lengths = np.linalg.norm(mesh.normals, axis=1)
            assert np.mean(np.abs(lengths - 1) < 1e-3) > 0.9, maker
            assert 0.05 < shape.size.max() < LARGEST, maker
            low, high = shape.bounds
            for support in shape.supports:
                assert low[2] - 1e-3 <= support.center[2] <= high[2] + 1e-3, maker


@pytest.mark.parametrize("class_name", CLASS_NAMES[5:])
def test_shapes_depend_on_the_generator_only_and_differ(class_name: str) -> None:
    first, again, other = (make_shape(class_name, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.mesh.vertices, again.mesh.vertices)
    assert first.materials == again.materials
    same = first.mesh.vertices.shape == other.mesh.vertices.shape
    assert not (same and np.array_equal(first.mesh.vertices, other.mesh.vertices))


def test_sizes_span_a_mug_to_a_wardrobe() -> None:
    mug = make_shape("mug", np.random.default_rng(0), VARIANTS["mug"][:1])
    wardrobe = make_shape("wardrobe", np.random.default_rng(0))
    assert mug.size.max() < 0.15
    assert wardrobe.size.max() > 1.8


_point = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)


@given(_point, _point, st.floats(0.01, 0.2))
def test_a_rod_surrounds_its_axis(start: np.ndarray, end: np.ndarray, radius: float) -> None:
    length = float(np.linalg.norm(end - start))
    if length < 0.05:
        return
    vertices = m.rod(start, end, radius).vertices
    axis = (end - start) / length
    along = (vertices - start) @ axis
    aside = np.linalg.norm(vertices - start - along[:, None] * axis, axis=1)
    assert along.min() == pytest.approx(0, abs=1e-4) and along.max() == pytest.approx(length, abs=1e-4)
    assert aside.max() == pytest.approx(radius, abs=1e-4)


@given(_point, st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(-3, 3))
def test_moving_keeps_lengths_and_normals(offset: np.ndarray, yaw: float, pitch: float, roll: float) -> None:
    turn = m.rotation_matrix(yaw, pitch, roll)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    box = m.unit_box()
    moved = box.moved(offset, turn)
    np.testing.assert_allclose(np.linalg.norm(moved.vertices - offset, axis=1), np.sqrt(0.75), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(moved.normals, axis=1), 1, atol=1e-5)
