"""Losses of classifiers: golden values of the linear probe, the published sums, batches without labels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rgbd_perception.inference.embedding_classes import class_logits
from rgbd_perception.models import ModelOutput
from rgbd_perception.training.losses import (
    cross_entropy_loss,
    cross_entropy_terms,
    hard_pixel_loss,
    token_score_loss,
    two_head_loss,
)
from rgbd_perception.training.losses.class_weights import ClassPixels
from test.training.losses.golden import golden_losses


@pytest.mark.parametrize(("key", "smoothing"), [("lp.loss", 0.0), ("lp.loss_label_smoothing_0.1", 0.1)])
def test_the_linear_probes_loss_equals_the_golden_values(
    shared_data: Path, key: str, smoothing: float
) -> None:
    golden = golden_losses(shared_data)
    logits = class_logits(torch.from_numpy(golden["pred"]), torch.from_numpy(golden["lp.weight"]))
    np.testing.assert_allclose(logits.numpy(), golden["lp.logits"], atol=1e-5)
    labels = torch.from_numpy(golden["lp.semantic"].astype(np.int64)) - 1
    weights = torch.from_numpy(golden["lp.class_weights"])
    terms = cross_entropy_terms(logits, labels, weights, smoothing)
    assert terms.count == int(golden["lp.n_pixels"])
    assert terms.mean().item() == pytest.approx(float(golden[key]), abs=1e-5)


def streams(seed: int) -> tuple[ModelOutput, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rgb, depth = (torch.randn(2, 5, 4, 6, generator=generator).requires_grad_(True) for _ in range(2))
    labels = torch.randint(-1, 5, (2, 16, 24), generator=generator)
    return ModelOutput(logits=(rgb + depth).detach() / 2, rgb_logits=rgb, depth_logits=depth), labels


def test_the_heads_are_added_at_the_size_of_the_labels() -> None:
    output, labels = streams(0)
    wanted = sum(
        F.cross_entropy(F.interpolate(logits, size=(16, 24), mode="bilinear"), labels, ignore_index=-1)
        for logits in (output.rgb_logits, output.depth_logits, output.logits)
    )
    torch.testing.assert_close(two_head_loss(output, labels), wanted)


def test_hard_pixels_are_those_above_the_threshold_or_the_hardest_sixteenth() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[0, 0, 0] = -1
    margin = torch.full((1, 8, 8), 9.0)
    margin[0, 4] = -1.0  # eight wrong pixels
    logits = torch.stack((margin, torch.zeros_like(margin)), dim=1)
    output = ModelOutput(logits=logits, rgb_logits=logits, depth_logits=logits)
    wrong = math.log1p(math.e)
    assert hard_pixel_loss(output, labels).item() == pytest.approx(3 * wrong, rel=1e-5)
    sure = torch.stack((torch.linspace(5, 9, 64).reshape(1, 8, 8), torch.zeros(1, 8, 8)), dim=1)
    output = ModelOutput(logits=sure, rgb_logits=sure, depth_logits=sure)
    losses = F.cross_entropy(sure, labels, ignore_index=-1, reduction="none")
    wanted = 3 * losses[labels >= 0].sort(descending=True).values[: 63 // 16].mean()
    torch.testing.assert_close(hard_pixel_loss(output, labels), wanted)


def test_a_batch_without_labels_has_no_loss_and_no_gradient() -> None:
    for loss in (two_head_loss, hard_pixel_loss):
        output, labels = streams(1)
        value = loss(output, torch.full_like(labels, -1))
        value.backward()
        assert value.item() == 0.0 and not output.rgb_logits.grad.any()
    assert cross_entropy_loss(torch.randn(1, 3, 2, 2), torch.full((1, 2, 2), -1)).item() == 0.0


def test_a_network_with_one_head_is_refused() -> None:
    with pytest.raises(ValueError, match="two streams"):
        two_head_loss(ModelOutput(logits=torch.zeros(1, 2, 2, 2)), torch.zeros(1, 2, 2, dtype=torch.int64))


def test_token_scores_are_summed_not_averaged() -> None:
    scores = torch.full((2, 1000), 0.5, requires_grad=True)
    loss = token_score_loss(scores, 1e-3)
    loss.backward()
    assert loss.item() == pytest.approx(1.0)
    torch.testing.assert_close(scores.grad, torch.full((2, 1000), 1e-3))


def test_median_frequency_counts_images_that_show_the_class() -> None:
    pixels = ClassPixels(4)
    pixels.add(np.array([[0, 0], [0, 1]]))
    pixels.add(np.array([[0, -1], [2, 2]]))
    frequencies = np.array([4 / 8, 1 / 4, 2 / 4])
    wanted = np.append(np.median(frequencies) / frequencies, 0.0)
    np.testing.assert_allclose(pixels.median_frequency_weights(), wanted, rtol=1e-6)
