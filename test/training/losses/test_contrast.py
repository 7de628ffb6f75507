"""The contrastive term by its meaning, and cells that stand for embeddings which are never made."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.training.cells import EmbeddedCells, ProjectedCells
from rgbd_perception.training.losses import class_contrast_loss


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
