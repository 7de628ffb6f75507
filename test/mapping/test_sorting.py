"""Sorting in place against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping.sorting import sort


@pytest.mark.parametrize("kind", [np.float32, np.int64])
@settings(max_examples=60, deadline=None)
@given(
    size=st.one_of(st.integers(0, 70), st.integers(0, 5000)),
    different=st.integers(1, 10**6),
    seed=st.integers(0, 99),
)
def test_values_are_in_order(kind, size, different, seed):
    values = np.random.default_rng(seed).integers(-different, different, size).astype(kind)
    expected = np.sort(values)
    sort(values)
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("turned", [1, -1])
def test_what_is_in_order_or_backwards(turned):
    values = np.arange(3000)[::turned].copy()
    sort(values)
    assert np.array_equal(values, np.arange(3000))
