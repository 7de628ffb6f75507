"""Visual means and the linear probe find classes whose embeddings are apart, whatever their text says."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from rgbd_perception.training.probe import Samples, fit_probe, visual_means


def samples() -> Samples:
    """Two classes around orthogonal directions, one of them with a third of its samples elsewhere."""
    generator = torch.Generator().manual_seed(0)
    x, y, z = torch.eye(3)
    centers = torch.cat((x.expand(60, 3), y.expand(40, 3), z.expand(20, 3)))
    features = F.normalize(centers + 0.05 * torch.randn(120, 3, generator=generator), dim=1)
    return Samples(features, torch.tensor([0] * 60 + [1] * 60))


def test_visual_means() -> None:
    text = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 3.0, 4.0]])
    rows = visual_means(samples(), text)
    wanted = F.normalize(torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 1.0], [0.0, 3.0, 4.0]]), dim=1)
    torch.testing.assert_close(rows, wanted, atol=0.03, rtol=0.0)
    assert torch.equal(rows[2], F.normalize(text, dim=1)[2])  # no sample: its text


def test_the_probe_separates_what_means_confuse() -> None:
    features, labels = samples()
    rows = fit_probe(Samples(features, labels), classes=2, steps=100)
    assert rows.shape == (2, 3) and not rows.requires_grad
    assert ((features @ rows.T).argmax(dim=1) == labels).all()
