"""Targets of segments: golden values of the official code, and what holds for any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.training.losses import segment_targets
from test.training.losses.golden import SAMPLES, golden_arguments, golden_losses


@pytest.mark.parametrize("name", SAMPLES)
def test_targets_equal_the_golden_values(shared_data: Path, name: str) -> None:
    golden = golden_losses(shared_data)
    table, index = segment_targets(*golden_arguments(golden, name))
    np.testing.assert_allclose(table, golden[f"{name}.lut"], atol=1e-6)
    np.testing.assert_array_equal(index, golden[f"{name}.indices"])
    assert (table.dtype, index.dtype) == (np.float32, np.int32)


@given(factor=st.sampled_from([0.0, 0.3, 0.65]), seed=st.integers(0, 1000), count=st.integers(0, 6))
def test_rows_are_unit_and_an_index_names_the_row_of_its_id(factor: float, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings, image = rng.standard_normal((count, 16)), rng.standard_normal(16)
    ids = rng.permutation(50)[:count]
    panoptic = rng.choice(np.append(ids, 99), (4, 6))
    table, index = segment_targets(panoptic, ids, embeddings, image, factor)
    assert table.shape == (count, 16) and index.shape == (4, 6)
    np.testing.assert_allclose(np.linalg.norm(table, axis=1), 1.0, atol=1e-5)
    if factor == 0.0:
        cosines = np.einsum("ij,ij->i", table, embeddings) / np.linalg.norm(embeddings, axis=1)
        np.testing.assert_allclose(cosines, 1.0, atol=1e-5)
    row_of = {99: 0, **{int(value): row + 1 for row, value in enumerate(ids)}}
    np.testing.assert_array_equal(index, [[row_of[int(value)] for value in line] for line in panoptic])


@given(seed=st.integers(0, 1000))
def test_the_order_of_the_ids_changes_no_pixels_target(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids, embeddings, image = rng.permutation(30)[:7], rng.standard_normal((7, 8)), rng.standard_normal(8)
    panoptic = rng.integers(0, 30, (5, 9))
    order = rng.permutation(7)
    table, index = segment_targets(panoptic, ids, embeddings, image)
    other, permuted = segment_targets(panoptic, ids[order], embeddings[order], image)
    np.testing.assert_array_equal(index > 0, permuted > 0)
    np.testing.assert_array_equal(table[index[index > 0] - 1], other[permuted[index > 0] - 1])


def test_lengths_and_types_of_the_embeddings_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    embeddings, image = rng.standard_normal((3, 1, 8)).astype(np.float16), rng.standard_normal((1, 8))
    panoptic = np.array([[1, 2, 3]], np.uint32)
    table, _ = segment_targets(panoptic, [1, 2, 3], embeddings, image)
    doubled, _ = segment_targets(panoptic, [1, 2, 3], 2.0 * embeddings.astype(np.float64)[:, 0], 5.0 * image)
    np.testing.assert_allclose(table, doubled, atol=1e-6)


def test_without_an_embedding_of_the_image_nothing_is_taken_away() -> None:
    embeddings = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)
    table, _ = segment_targets(np.array([[1, 2]]), [1, 2], embeddings, None)
    np.testing.assert_allclose(table, [[0.6, 0.8], [0.0, 1.0]], rtol=1e-6)
    empty, index = segment_targets(np.array([[1, 2]]), [], np.zeros((0, 2)), None)
    assert empty.shape == (0, 2) and not index.any()


def test_nothing_stays_nothing() -> None:
    table, _ = segment_targets(np.zeros((1, 1), int), [5], np.zeros((1, 4)), np.zeros(4))
    np.testing.assert_array_equal(table, 0.0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="more than once"):
        segment_targets(np.zeros((2, 2), int), [3, 3], np.ones((2, 4)), np.ones(4))
    with pytest.raises(ValueError, match="expected 2 embeddings of 4 numbers"):
        segment_targets(np.zeros((2, 2), int), [3, 4], np.ones((2, 5)), np.ones(4))
