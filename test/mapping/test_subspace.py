"""Directions are orthonormal, only added, and hold what they were asked to hold."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping.subspace import Subspace


def _vectors(rng: np.random.Generator, rank: int, count: int = 300, dim: int = 96) -> np.ndarray:
    directions = np.linalg.qr(rng.standard_normal((dim, rank)))[0].T
    return (rng.standard_normal((count, rank)) @ directions).astype(np.float32)


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(0, 2**31))
def test_what_has_a_low_rank_is_held(rank, seed):
    rng = np.random.default_rng(seed)
    space = Subspace(96, 32)
    vectors = _vectors(rng, rank)
    while space.extend(vectors):
        pass
    assert space.size <= rank
    assert space.outside(vectors) <= 2e-3
    known = space.basis[: space.size]
    np.testing.assert_allclose(known @ known.T, np.eye(space.size), atol=1e-5)
    cosines = space.coordinates(vectors) @ space.coordinates(vectors).T
    np.testing.assert_allclose(cosines, vectors @ vectors.T, atol=0.05 * np.abs(vectors @ vectors.T).max())


def test_directions_stay_when_others_come():
    rng = np.random.default_rng(3)
    space = Subspace(96, 32)
    space.extend(_vectors(rng, 5))
    before, size = space.basis.copy(), space.size
    second = _vectors(rng, 7)
    space.extend(second)
    assert space.size > size
    assert np.array_equal(space.basis[:size], before[:size])
    assert space.outside(second) < 2e-3


def test_the_limit_is_kept_and_a_single_frame_cannot_fill_it():
    rng = np.random.default_rng(4)
    space = Subspace(96, 64)
    noise = rng.standard_normal((300, 96)).astype(np.float32)
    space.extend(noise)
    assert space.size == 32
    for _ in range(10):
        space.extend(noise)
    assert space.size == 64
    assert 0.05 < space.outside(noise) < 1 - 64 / 96 + 0.05


def test_vectors_of_zeros_add_nothing():
    space = Subspace(16, 8)
    assert not space.extend(np.zeros((10, 16), np.float32))
    assert space.size == 0 and space.outside(np.zeros((10, 16), np.float32)) == 0
