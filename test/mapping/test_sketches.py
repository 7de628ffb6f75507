"""Sketches of embeddings keep cosines about."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.mapping.sketches import count_sketches


@pytest.mark.parametrize("dim", [16, 384, 500])
def test_dot_products_are_about_the_cosines(dim):
    rng = np.random.default_rng(1)
    first = rng.standard_normal((300, dim))
    second = first + rng.uniform(0, 3, (300, 1)) * rng.standard_normal((300, dim))
    both = np.concatenate([first, second])
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    sketches = count_sketches((5 * both).astype(np.float32), np.arange(600)).astype(float) / 127
    np.testing.assert_allclose(np.linalg.norm(sketches, axis=1), 1, atol=0.02)
    cosines = (both[:300] * both[300:]).sum(axis=1)
    error = (sketches[:300] * sketches[300:]).sum(axis=1) - cosines
    assert np.abs(error.mean()) < 0.03
    assert error.std() < 1.2 / np.sqrt(64)


def test_no_embedding_is_like_nothing():
    assert not count_sketches(np.zeros((1, 16), np.float32), np.arange(1)).any()
