"""Bits of lanes and tiles."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.lane_bits import lanes_above, roots, tile_above
from rgbd_perception.mapping.small_products import TILE


@kernel
def _above(products, units, floor, length):
    return [
        lanes_above(products, row * units.size + lane, units, floor, lane, length)
        for row in range(products.shape[0])
        for lane in range(0, units.size, 8)
    ]


def test_each_lane_is_compared_with_its_floor():
    rng = np.random.default_rng(1)
    products = rng.integers(-1000, 1000, (3, 24)).astype(np.float32)
    units, floor = rng.uniform(0.1, 2, 24).astype(np.float32), rng.uniform(-50, 50, 24).astype(np.float32)
    expected = np.packbits(products * units > floor * 10, axis=1, bitorder="little")
    found = np.array(_above(products, units, floor, np.float32(10)))
    assert found.tolist() == expected.ravel().tolist()
    assert 0 < np.count_nonzero(np.unpackbits(found.astype(np.uint8))) < products.size


@kernel
def _tile_above(products, other, unit, floor, squares, lengths):
    roots(squares, lengths)
    return tile_above(products, other, unit, floor, lengths)


def test_each_vector_of_a_tile_is_compared_by_its_length():
    rng = np.random.default_rng(2)
    products = rng.integers(-1000, 1000, (5, TILE)).astype(np.int32)
    squares, lengths = rng.integers(0, 400, TILE).astype(np.int32), np.empty(TILE, np.float32)
    for other, floor in enumerate(rng.uniform(-30, 30, 5).astype(np.float32)):
        found = _tile_above(products, other, np.float32(0.5), floor, squares, lengths)
        expected = products[other] * 0.5 > floor * np.sqrt(squares)
        assert found == int(np.packbits(expected, bitorder="little").view(np.uint16)[0])
    assert lengths == pytest.approx(np.sqrt(squares))
