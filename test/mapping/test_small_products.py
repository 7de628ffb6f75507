"""Dot products in whole numbers against those in double precision, up to the most that fits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping.products import DEPTH, LANES
from rgbd_perception.mapping.small_products import TILE, multiply_small, rounded_side_by_side, small_tile


def _products(vectors, others):
    """((n, m) products, (m,) stated errors, (n,) squares) of n vectors."""
    across = rounded_side_by_side(others.astype(np.float32))
    assert across.pairs.shape[1] % LANES == 0 and 2 * across.pairs.shape[0] % DEPTH == 0
    tile, products, squares = small_tile(across.pairs), [], []
    for first in range(0, vectors.shape[0], TILE):
        count = min(TILE, vectors.shape[0] - first)
        multiply_small(vectors, first, across.pairs, *tile)
        assert not tile.products[others.shape[0] :].any()
        assert not tile.products[:, count:].any() and not tile.squares[count:].any()
        products.append(tile.products[: others.shape[0], :count].T.astype(np.float64))
        squares.extend(tile.squares[:count].tolist())
    return (
        np.concatenate(products) * across.units[: others.shape[0]],
        across.errors[: others.shape[0]],
        squares,
    )


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 3 * TILE),
    others=st.integers(0, 45),
    depth=st.one_of(st.integers(1, 3 * DEPTH), st.sampled_from([DEPTH, 2 * DEPTH])),
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
    assert squares == (wide**2).sum(axis=1).tolist()


@pytest.mark.parametrize("depth", [1, 64, 516, 1500, 4096])
@pytest.mark.parametrize("value", [-128, 127])
def test_the_largest_numbers_do_not_overflow(depth, value):
    vectors = np.full((1, depth), value, np.int8)
    others = np.stack([np.ones(depth), -np.ones(depth), np.eye(1, depth)[0], np.zeros(depth)])
    found, errors, _ = _products(vectors, others)
    assert found[0] == pytest.approx([value * depth, -value * depth, value, 0], rel=1e-3)
    assert errors[3] == 0
