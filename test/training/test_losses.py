"""The distillation loss against golden values of the official code, the contrastive term by its meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.training.cells import EmbeddedCells, ProjectedCells
from rgbd_perception.training.losses import (
    class_contrast_loss,
    cosine_distillation_loss,
    segment_targets,
)

GOLDEN = "reference/parity/dveformer/embedding_losses.npz"


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, np.ndarray]:
    path = shared_data.parent / GOLDEN
    if not path.exists():
        pytest.skip(f"golden values {path} are not there")
    with np.load(path) as file:
        return dict(file)


def _golden_targets(golden: dict[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    return segment_targets(
        golden[f"{name}.panoptic"],
        golden[f"{name}.ids"],
        golden[f"{name}.embeddings"],
        golden[f"{name}.image_embedding"],
        float(golden["diff_factor"]),
    )


@pytest.mark.parametrize("name", ["b0", "b1"])
def test_targets_equal_the_golden_values(golden: dict[str, np.ndarray], name: str) -> None:
    table, indices = _golden_targets(golden, name)
    np.testing.assert_allclose(table, golden[f"{name}.lut"], atol=1e-6)
    np.testing.assert_array_equal(indices, golden[f"{name}.indices"])


def test_loss_and_gradient_equal_the_golden_values(golden: dict[str, np.ndarray]) -> None:
    tables, indices = zip(*(_golden_targets(golden, name) for name in ("b0", "b1")), strict=True)
    pred = torch.from_numpy(golden["pred"]).requires_grad_(True)
    tensors = [torch.from_numpy(table) for table in tables]
    loss = cosine_distillation_loss(EmbeddedCells.of(pred), tensors, torch.from_numpy(np.stack(indices)))
    loss.backward()
    assert loss.item() == pytest.approx(float(golden["loss"]), abs=1e-5)
    assert pred.grad is not None
    np.testing.assert_allclose(pred.grad.numpy(), golden["grad"], atol=1e-7)


@given(factor=st.sampled_from([0.0, 0.3, 0.65]), seed=st.integers(0, 1000))
def test_targets_are_unit_and_without_subtraction_keep_their_direction(factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings, image = rng.standard_normal((5, 16)), rng.standard_normal(16)
    ids = rng.permutation(50)[:5]
    panoptic = rng.choice(np.append(ids, 99), (4, 6))
    table, indices = segment_targets(panoptic, ids, embeddings, image, factor)
    np.testing.assert_allclose(np.linalg.norm(table, axis=1), 1.0, atol=1e-5)
    if factor == 0.0:
        cosines = np.einsum("ij,ij->i", table, embeddings) / np.linalg.norm(embeddings, axis=1)
        np.testing.assert_allclose(cosines, 1.0, atol=1e-5)
    row_of = {99: 0, **{int(value): row + 1 for row, value in enumerate(ids)}}
    np.testing.assert_array_equal(indices, [[row_of[int(value)] for value in line] for line in panoptic])


def test_a_view_without_segments_has_no_targets_and_no_loss() -> None:
    table, indices = segment_targets(np.ones((3, 4)), [], np.zeros((0, 8)), np.zeros(8), 0.0)
    assert not indices.any()
    pred = torch.randn(1, 8, 3, 4, requires_grad=True)
    loss = cosine_distillation_loss(
        EmbeddedCells.of(pred), [torch.from_numpy(table)], torch.from_numpy(indices)[None]
    )
    assert loss.item() == 0.0


def test_every_pixel_counts_equally_whichever_image_it_is_in() -> None:
    table = torch.eye(2)
    pred = torch.tensor([1.0, 0.0])[None, :, None, None].repeat(2, 1, 1, 4)
    indices = torch.tensor([[[1, 1, 1, 1]], [[2, 0, 0, 0]]], dtype=torch.int32)
    assert cosine_distillation_loss(EmbeddedCells.of(pred), [table, table], indices).item() == pytest.approx(
        1 / 5
    )


def test_contrast_is_small_for_the_right_class_and_ignores_unlabelled_pixels() -> None:
    classes = torch.eye(3, 8)
    labels = torch.tensor([[[0, 2, -1]]])
    right = classes[torch.tensor([0, 2, 1])].T[None, :, None, :]
    wrong = classes[torch.tensor([1, 1, 1])].T[None, :, None, :]
    weights = torch.ones(3)
    assert class_contrast_loss(EmbeddedCells.of(right), classes, labels, weights, 0.05).item() < 1e-6
    assert class_contrast_loss(
        EmbeddedCells.of(wrong), classes, labels, weights, 0.05
    ).item() == pytest.approx(20.0, rel=1e-3)


def test_contrast_weights_the_classes() -> None:
    classes = torch.eye(2, 4)
    labels = torch.tensor([[[0, 1]]])
    pred = classes[torch.tensor([0, 0])].T[None, :, None, :]  # right for the first pixel only
    light = class_contrast_loss(EmbeddedCells.of(pred), classes, labels, torch.tensor([1.0, 0.1]), 0.5)
    heavy = class_contrast_loss(EmbeddedCells.of(pred), classes, labels, torch.tensor([1.0, 10.0]), 0.5)
    assert light < heavy


def test_contrast_without_any_label_is_zero() -> None:
    labels = torch.full((1, 2, 2), -1)
    loss = class_contrast_loss(
        EmbeddedCells.of(torch.randn(1, 4, 2, 2)), torch.eye(3, 4), labels, torch.ones(3), 0.1
    )
    assert loss.item() == 0.0


@given(seed=st.integers(0, 1000))
def test_projected_cells_are_the_embedded_ones(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 6, 3, 4, generator=generator, dtype=torch.float64)
    weight = torch.randn(16, 6, generator=generator, dtype=torch.float64)
    bias = torch.randn(16, generator=generator, dtype=torch.float64)
    embedded = EmbeddedCells.of(torch.einsum("df,bfhw->bdhw", weight, features) + bias[:, None, None])
    projected = ProjectedCells.of(features, weight, bias)
    torch.testing.assert_close(projected.lengths, embedded.lengths)
    for rows in (torch.randn(5, 16, generator=generator), torch.randn(2, 5, 16, generator=generator)):
        torch.testing.assert_close(projected.products(rows), embedded.products(rows))
