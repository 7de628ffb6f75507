"""Depth as bytes of millimetres: rounded, nothing invented, read back as the graph does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rgbd_perception.inference.depth_bytes import millimetre_bytes
from rgbd_perception.inference.frame_graph import decode_millimetres
from rgbd_perception.inference.preprocess import MAX_DEPTH, clean_depth


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (48, 64)])
def test_the_graph_reads_what_was_measured_to_the_millimetre(shape: tuple[int, int]) -> None:
    depth = np.random.default_rng(0).uniform(-1, 25, shape).astype(np.float32)
    found = decode_millimetres(torch.from_numpy(millimetre_bytes(depth, MAX_DEPTH)))
    np.testing.assert_allclose(found, clean_depth(depth), atol=0.0005001)
    np.testing.assert_array_equal(found == 0, clean_depth(depth) < 0.0005)


def test_what_is_no_measurement_is_0() -> None:
    depth = np.array([[np.nan, np.inf, -np.inf, -1.0, 20.001, 70.0]], np.float32)
    assert not millimetre_bytes(depth, MAX_DEPTH).any()


def test_the_low_byte_comes_first() -> None:
    depth = np.array([[0.001, 0.256, 1.0, 20.0]], np.float32)
    assert millimetre_bytes(depth, MAX_DEPTH).tolist() == [[[1, 0], [0, 1], [0xE8, 3], [0x20, 0x4E]]]


def test_it_takes_views() -> None:
    depth = np.random.default_rng(0).uniform(0, 10, (20, 30)).astype(np.float32)
    found = millimetre_bytes(depth[::2, 1::3], MAX_DEPTH)
    np.testing.assert_array_equal(found, millimetre_bytes(depth, MAX_DEPTH)[::2, 1::3])
