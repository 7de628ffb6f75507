"""Coordinates by register tiles against numpy's, for every basis that fills or leaves a tile."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping.products import DEPTH, put
from rgbd_perception.mapping.projection import LANES, VECTORS, as_axes, project


@settings(max_examples=60, deadline=None)
@given(axes=st.integers(0, 2 * LANES + 1), depth=st.integers(1, 3 * DEPTH), seed=st.integers(0, 1 << 16))
def test_coordinates_are_those_of_numpy(axes, depth, seed):
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((VECTORS, depth)).astype(np.float32)
    basis = random.standard_normal((axes, depth)).astype(np.float32)
    across = as_axes(basis)
    assert across.shape[0] % DEPTH == 0 and across.shape[1] % LANES == 0
    pieces = np.zeros((across.shape[0] // DEPTH, VECTORS, DEPTH), np.float32)
    for row in range(VECTORS):
        put(vectors, row, pieces, row)
    coordinates = np.full((VECTORS, across.shape[1]), np.nan, np.float32)

    project(pieces, across, coordinates)

    np.testing.assert_allclose(coordinates[:, :axes], vectors @ basis.T, atol=1e-5 * np.sqrt(depth))
    assert not coordinates[:, axes:].any()
