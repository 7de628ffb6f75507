"""Distillation losses: golden values, autograd as the judge of the gradients, and the edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from rgbd_perception.training.cells import EmbeddedCells
from rgbd_perception.training.losses import (
    cosine_distillation_loss,
    distillation,
    distillation_loss,
    distillation_terms,
    segment_targets,
)
from test.training.losses.golden import SAMPLES, golden_arguments, golden_losses

DISTANCES = ("cosine", "mse", "l1")


def targets(
    seed: int, images: int = 2, dim: int = 6, size: tuple[int, int] = (5, 4), rows: int = 3
) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    pred = torch.randn(images, dim, *size, generator=generator, dtype=torch.float64)
    tables = [F.normalize(torch.randn(rows, dim, generator=generator), dim=1).double() for _ in range(images)]
    indices = [torch.randint(0, rows + 1, size, generator=generator) for _ in range(images)]
    return pred, tables, indices


def plain_loss(
    pred: torch.Tensor, tables: list[torch.Tensor], indices: list[torch.Tensor], kind: str
) -> torch.Tensor:
    """The same by torch's own losses on one target for every pixel."""
    images = pred.permute(0, 2, 3, 1)
    pixels = torch.cat([image[index > 0] for image, index in zip(images, indices, strict=True)])
    wanted = torch.cat([table[index[index > 0] - 1] for table, index in zip(tables, indices, strict=True)])
    if kind == "cosine":
        return F.cosine_embedding_loss(pixels, wanted, torch.ones(len(pixels), dtype=pred.dtype))
    return {"mse": F.mse_loss, "l1": F.l1_loss}[kind](pixels, wanted)


def test_loss_and_gradient_equal_the_golden_values(shared_data: Path) -> None:
    golden = golden_losses(shared_data)
    tables, indices = zip(
        *(segment_targets(*golden_arguments(golden, name)) for name in SAMPLES), strict=True
    )
    pred = torch.from_numpy(golden["pred"]).requires_grad_(True)
    loss = cosine_distillation_loss(pred, tables, indices)
    loss.backward()
    assert loss.item() == pytest.approx(float(golden["loss"]), abs=1e-5)
    assert distillation_terms(pred, tables, indices).count == int(golden["n_pixels"])
    np.testing.assert_allclose(pred.grad.numpy(), golden["grad"], atol=1e-7)
    cells = EmbeddedCells.of(pred)
    assert cosine_distillation_loss(cells, tables, indices).item() == pytest.approx(loss.item(), abs=1e-6)


@pytest.mark.parametrize("kind", DISTANCES)
@given(seed=st.integers(0, 1000), chunk=st.sampled_from([1, 60, 1 << 20]))
def test_values_and_gradients_are_those_of_torch(kind: str, seed: int, chunk: int) -> None:
    pred, tables, indices = targets(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distillation, "CHUNK", chunk)
        ours = pred.clone().requires_grad_(True)
        loss = distillation_loss(ours, tables, indices, kind)
        loss.backward()
    reference = pred.clone().requires_grad_(True)
    wanted = plain_loss(reference, tables, indices, kind)
    wanted.backward()
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(ours.grad, reference.grad)


def test_a_prediction_of_nothing_has_the_cosine_and_gradient_that_torch_gives_it() -> None:
    tables, indices = [torch.eye(3)[:1]], [torch.ones(1, 1, dtype=torch.int64)]
    ours, reference = (torch.zeros(1, 3, 1, 1, requires_grad=True) for _ in range(2))
    cosine_distillation_loss(ours, tables, indices).backward()
    plain_loss(reference, tables, indices, "cosine").backward()
    torch.testing.assert_close(ours.grad, reference.grad)


@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("rows", [0, 2])
def test_a_batch_without_targets_has_no_loss_and_no_gradient(kind: str, rows: int) -> None:
    pred = torch.randn(2, 8, 3, 4, requires_grad=True)
    nothing = np.zeros((3, 4), np.int32)
    loss = distillation_loss(pred, [np.ones((rows, 8), np.float32)] * 2, [nothing] * 2, kind)
    loss.backward()
    assert loss.item() == 0.0
    assert pred.grad is not None and not pred.grad.any()


def test_a_view_without_segments_adds_nothing_to_the_batch() -> None:
    pred, tables, indices = targets(3)
    alone = cosine_distillation_loss(pred[:1], tables[:1], indices[:1])
    with_empty = cosine_distillation_loss(
        pred, [tables[0], torch.zeros(0, 6)], [indices[0], torch.zeros_like(indices[1])]
    )
    torch.testing.assert_close(alone, with_empty)


def test_every_pixel_counts_equally_whichever_image_it_is_in() -> None:
    table = torch.eye(2)
    pred = torch.tensor([1.0, 0.0])[None, :, None, None].repeat(2, 1, 1, 4)
    indices = torch.tensor([[[1, 1, 1, 1]], [[2, 0, 0, 0]]], dtype=torch.int32)
    assert cosine_distillation_loss(pred, [table, table], indices).item() == pytest.approx(1 / 5)


def test_what_is_not_finite_without_a_target_does_not_spread() -> None:
    pred = torch.randn(1, 4, 1, 2)
    pred[..., 1] = float("inf")
    pred.requires_grad_(True)
    loss = cosine_distillation_loss(pred, [torch.eye(4)], [torch.tensor([[2, 0]])])
    loss.backward()
    assert loss.isfinite() and pred.grad.isfinite().all()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(kind: torch.dtype) -> None:
    pred, tables, indices = targets(5, dim=64, size=(20, 20))
    half = (300.0 * pred).to(kind).requires_grad_(True)  # squares of float16 overflow
    loss = cosine_distillation_loss(half, tables, indices)
    loss.backward()
    assert loss.dtype == torch.float32 and half.grad.dtype == kind
    wanted = plain_loss(half.detach().double(), tables, indices, "cosine")
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-5)


def test_maps_of_any_memory_layout_are_taken() -> None:
    pred, tables, indices = targets(7, size=(6, 8))
    padded = torch.zeros(2, 6, 8, 12, dtype=torch.float64)
    padded[:, :, :6, :8] = pred
    for same in (pred.to(memory_format=torch.channels_last), padded[:, :, :6, :8]):
        ours = same.detach().requires_grad_(True)
        cosine_distillation_loss(ours, tables, indices).backward()
        reference = pred.clone().requires_grad_(True)
        cosine_distillation_loss(reference, tables, indices).backward()
        torch.testing.assert_close(ours.grad, reference.grad)


def test_terms_of_parts_are_the_loss_of_the_whole() -> None:
    pred, tables, indices = targets(11, images=3)
    indices[1][:] = 0
    parts = [
        distillation_terms(pred[part], tables[part], indices[part]) for part in (slice(0, 1), slice(1, 3))
    ]
    together = sum(part.total for part in parts) / sum(part.count for part in parts)
    torch.testing.assert_close(together, cosine_distillation_loss(pred, tables, indices))


def test_what_does_not_fit_is_refused() -> None:
    pred, tables, indices = targets(0)
    with pytest.raises(ValueError, match="with B tables"):
        cosine_distillation_loss(pred, tables[:1], indices)
    with pytest.raises(ValueError, match=r"a table \(3, 5\)"):
        cosine_distillation_loss(pred, [table[:, :5] for table in tables], indices)
    with pytest.raises(ValueError, match="cosine for cells"):
        distillation_terms(EmbeddedCells.of(pred), tables, indices, "l1")
