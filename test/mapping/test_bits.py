"""Bits of words of every width against Python's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.mapping.bits import count_bits, lowest_bit
from rgbd_perception.mapping.jit import kernel


@kernel
def _both(word):
    return lowest_bit(word), count_bits(word)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint64])
@given(data=st.data())
def test_words_of_every_width(kind, data):
    value = data.draw(st.integers(1, np.iinfo(kind).max))
    assert _both(kind(value)) == (bin(value)[::-1].index("1"), value.bit_count())
