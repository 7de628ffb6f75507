"""Text, visual means and linear probe: golden values of the authors' code, and cases done by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.embedding_classes import (
    VisualMeans,
    class_logits,
    classify_pixels,
    linear_probe_rows,
    text_rows,
)
from rgbd_perception.training.metrics import Confusion
from test.models.golden import golden_folder


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, NDArray]:
    with np.load(golden_folder(shared_data) / "embedding_losses.npz") as file:
        return dict(file)


def test_text_equals_the_golden_values(golden: dict[str, NDArray]) -> None:
    rows = text_rows(torch.from_numpy(golden["text_embeddings"]))
    logits = class_logits(torch.from_numpy(golden["pred"]), rows)
    np.testing.assert_allclose(logits.numpy(), golden["text.logits"], atol=1e-5)
    for suffix, size in (("", None), ("_fullres", golden["text.idx_fullres"].shape[1:])):
        labels, scores = classify_pixels(logits, size)
        np.testing.assert_array_equal(labels.numpy(), golden[f"text.idx{suffix}"])
        np.testing.assert_allclose(scores.numpy(), golden[f"text.score{suffix}"], atol=1e-5)


def test_linear_probe_equals_the_golden_values(golden: dict[str, NDArray], tmp_path: Path) -> None:
    weight = torch.from_numpy(golden["lp.weight"])[:, :, None, None]
    path = tmp_path / "probe.pth"
    torch.save({"linear_probing_head_state_dict": {"weight": weight}}, path)
    logits = class_logits(torch.from_numpy(golden["pred"]), linear_probe_rows(path))
    np.testing.assert_allclose(logits.numpy(), golden["lp.logits"], atol=1e-5)
    confusion = Confusion(len(weight))
    truth = golden["lp.semantic"].astype(np.int64) - 1  # void is 0 there
    confusion.add(truth, classify_pixels(logits)[0].numpy())
    scores = confusion.scores([str(index) for index in range(len(weight))])
    assert scores.mean_iou == pytest.approx(float(golden["lp.miou"]), abs=1e-6)
    for name, value in scores.iou.items():
        assert value == pytest.approx(float(golden["lp.ious"][int(name)]), abs=1e-6)


@pytest.mark.parametrize(
    "entries",
    [{}, {"weight": torch.zeros(3, 4)}, {"weight": torch.zeros(3, 4, 1, 1), "bias": torch.zeros(3)}],
)
def test_what_is_no_linear_probe_is_refused(entries: dict[str, torch.Tensor]) -> None:
    with pytest.raises(UserError, match="linear probe"):
        linear_probe_rows(entries)


def test_visual_means_done_by_hand() -> None:
    text = torch.tensor([[0.0, 0.0, 2.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    means = VisualMeans(classes=3, dim=3)
    x, y, z = torch.eye(3)
    means.add(torch.tensor([0, 0, 1]), torch.stack((2 * x, y, 3 * y)), 5 * z)
    means.add(torch.tensor([0]), z[None], x)
    rows = means.rows(text, diff_factor=0.5)
    # Class 0: x + y + z minus half of z + z (once for each of its segments) and of x.
    wanted = torch.stack((0.5 * x + y, y - 0.5 * z, y))
    torch.testing.assert_close(rows, wanted / wanted.norm(dim=1, keepdim=True))
    assert torch.equal(rows[2], text[2])  # no segment: its text


def test_scores_follow_the_logits_at_the_wanted_size() -> None:
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 1] = torch.tensor([[-4.0, 4.0], [-4.0, 4.0]])
    labels, scores = classify_pixels(logits, (4, 4))
    assert labels.shape == scores.shape == (1, 4, 4)
    assert labels[0].tolist() == [[0, 0, 1, 1]] * 4
    assert scores[0, 0, 0] == pytest.approx(torch.sigmoid(torch.tensor(4.0)).item())
    assert scores[0, 0, 1] == pytest.approx(torch.sigmoid(torch.tensor(2.0)).item())
