"""Tiles of dot products against numpy's, for every shape that fills or leaves a tile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping.products import DEPTH, LANES, ROWS, multiply, put, side_by_side


@settings(max_examples=60, deadline=None)
@given(
    others=st.integers(0, 45),
    depth=st.integers(1, 3 * DEPTH),
    dtype=st.sampled_from([np.int8, np.float32]),
    seed=st.integers(0, 1 << 16),
)
def test_products_are_those_of_numpy(others, depth, dtype, seed):
    random = np.random.default_rng(seed)
    vectors = random.integers(-127, 128, (ROWS, depth)).astype(dtype)
    few = random.standard_normal((others, depth)).astype(np.float32)
    across = side_by_side(few)
    assert across.shape[0] % DEPTH == 0 and across.shape[1] % LANES == 0
    pieces = np.zeros((across.shape[0] // DEPTH, ROWS, DEPTH), np.float32)
    products = np.full((ROWS, across.shape[1]), np.nan, np.float32)

    squares = [put(vectors, row, pieces, row) for row in range(ROWS)]
    multiply(pieces, across, products)

    expected = vectors.astype(np.float64) @ few.T.astype(np.float64)
    np.testing.assert_allclose(products[:, :others], expected, rtol=1e-5, atol=1e-5 * 127 * np.sqrt(depth))
    assert not products[:, others:].any()
    assert squares == pytest.approx((vectors.astype(np.float64) ** 2).sum(axis=1), rel=1e-5)
