"""Coordinates by register tiles against numpy's, for every basis that fills or leaves a tile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping import projection, whole_projection
from rgbd_perception.mapping.products import DEPTH
from rgbd_perception.mapping.projection import LANES, VECTORS


def _projected(kind, vectors, basis):
    axes = kind.as_axes(basis)
    tile = kind.tile_for(axes)
    for row in range(vectors.shape[0]):
        kind.put(vectors[row], np.square(vectors[row]).sum(), tile, row)
    coordinates = np.full((vectors.shape[0], basis.shape[0]), np.nan, np.float32)
    kind.project(tile, axes, coordinates)
    return coordinates


@pytest.mark.parametrize(("kind", "error"), [(projection, 1e-6), (whole_projection, 1 / 32_700)])
@settings(max_examples=60, deadline=None)
@given(
    axes=st.integers(0, 2 * LANES + 1),
    depth=st.integers(1, 3 * DEPTH),
    count=st.integers(1, VECTORS),
    seed=st.integers(0, 1 << 16),
)
def test_coordinates_are_those_of_numpy(kind, error, axes, depth, count, seed):
    random = np.random.default_rng(seed)
    lengths = 10.0 ** random.uniform(-6, 6, (count, 1))
    vectors = (random.standard_normal((count, depth)) * lengths).astype(np.float32)
    basis = random.standard_normal((axes, depth))
    basis = (basis / np.linalg.norm(basis, axis=1, keepdims=True)).astype(np.float32)

    coordinates = _projected(kind, vectors, basis)

    wrong = np.abs(coordinates - vectors.astype(np.float64) @ basis.T.astype(np.float64))
    assert (wrong <= (error * np.sqrt(depth) + 1e-7) * np.linalg.norm(vectors, axis=1, keepdims=True)).all()


@pytest.mark.parametrize("kind", [projection, whole_projection])
def test_the_longest_sums_do_not_overflow(kind):
    basis = np.concatenate([np.eye(2, 512), np.full((1, 512), 512**-0.5)]).astype(np.float32)
    vectors = np.concatenate([basis, -basis, np.zeros((1, 512))]).astype(np.float32)

    coordinates = _projected(kind, vectors, basis)

    np.testing.assert_allclose(coordinates, vectors @ basis.T, atol=1e-3)
    assert not coordinates[-1].any()
