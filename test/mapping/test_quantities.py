"""Few bits, but right on average."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.mapping.jit import dither
from rgbd_perception.mapping.quantities import PRECISIONS, Quantity, convert


def test_the_dither_is_even_and_the_same_every_time():
    draws = np.array([[dither(row, time) for row in range(300)] for time in range(30)])
    assert draws.min() >= 0 and draws.max() < 1
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    assert np.abs(draws.mean(axis=0) - 0.5).max() < 0.3 and np.abs(draws.mean(axis=1) - 0.5).max() < 0.1
    assert dither(7, 9) == draws[9, 7]


def test_small_steps_of_an_integer_mean_are_not_lost():
    """A thousand steps of 0.01: cut or rounded, the value would never move."""
    values = np.zeros(500, np.uint8)
    for time in range(1000):
        values = np.array([value + 0.01 + dither(row, time) for row, value in enumerate(values)]).astype(
            np.uint8
        )
    assert values.mean() == pytest.approx(10, abs=0.5)


@given(st.lists(st.floats(0, 200), min_size=1, max_size=20))
def test_conversion_is_within_half_a_step_and_the_range(values):
    exact, compact = PRECISIONS["exact"].weight, PRECISIONS["compact"].weight
    stored = convert(np.array(values, np.float32), exact, compact)
    assert stored.dtype == np.uint16
    back = convert(stored, compact, exact)
    np.testing.assert_allclose(back, np.minimum(values, compact.largest), atol=compact.unit / 2 + 1e-4)


def test_the_same_form_is_not_touched():
    values = np.array([1, 2], np.uint8)
    assert convert(values, Quantity(np.uint8), Quantity(np.uint8)) is values
