"""Dot products in whole numbers against those in double precision, up to the most that fits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping.products import DEPTH, LANES, ROWS
from rgbd_perception.mapping.small_products import multiply_small, put_small, rounded_side_by_side


def _products(vectors, others):
    """((n, m) products, (m,) stated errors, (n,) squares) for n <= ROWS."""
    across = rounded_side_by_side(others.astype(np.float32))
    assert across.pairs.shape[1] % LANES == 0 and 2 * across.pairs.shape[0] % DEPTH == 0
    pieces = np.zeros((2 * across.pairs.shape[0] // DEPTH, ROWS, DEPTH), np.int16)
    products, squares = np.full((ROWS, across.pairs.shape[1]), -1, np.int32), np.empty(ROWS, np.int64)
    put_small(vectors, 0, vectors.shape[0], pieces, squares)
    multiply_small(pieces, across.pairs, products)
    assert not products[:, others.shape[0] :].any()
    found = (
        products[: vectors.shape[0], : others.shape[0]].astype(np.float64) * across.units[: others.shape[0]]
    )
    return found, across.errors[: others.shape[0]], squares[: vectors.shape[0]]


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, ROWS),
    others=st.integers(0, 45),
    depth=st.integers(1, 3 * DEPTH),
    size=st.sampled_from([1e-6, 1.0, 1e4]),
    seed=st.integers(0, 1 << 16),
)
def test_products_are_within_the_stated_error(count, others, depth, size, seed):
    random = np.random.default_rng(seed)
    vectors = random.integers(-128, 128, (count, depth)).astype(np.int8)
    few = size * random.standard_normal((others, depth)).astype(np.float32)
    found, errors, squares = _products(vectors, few)
    exact, wide = vectors.astype(np.float64) @ few.T.astype(np.float64), vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    rounding = 1e-6 * lengths[:, None] * np.linalg.norm(few, axis=1)
    assert np.all(np.abs(found - exact) <= lengths[:, None] * errors + rounding)
    assert np.all(errors <= 1e-4 * np.sqrt(depth) * size * 5)
    assert squares.tolist() == (wide**2).sum(axis=1).tolist()


@pytest.mark.parametrize("depth", [1, 64, 516, 1500, 4096])
@pytest.mark.parametrize("value", [-128, 127])
def test_the_largest_numbers_do_not_overflow(depth, value):
    vectors = np.full((1, depth), value, np.int8)
    others = np.stack([np.ones(depth), -np.ones(depth), np.eye(1, depth)[0], np.zeros(depth)])
    found, errors, _ = _products(vectors, others)
    assert found[0] == pytest.approx([value * depth, -value * depth, value, 0], rel=1e-3)
    assert errors[3] == 0
