"""The small network: budget, sizes, training."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from rgbd_perception.models import create_model


def test_fits_its_budget() -> None:
    model = create_model("rgbd_mini").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 240, 320), torch.zeros(1, 1, 240, 320))
    assert counter.get_total_flops() / 2 <= 1.5e9
    assert 2e6 <= sum(parameter.numel() for parameter in model.parameters()) <= 5e6


@pytest.mark.parametrize("size", [(240, 320), (32, 32), (64, 224), (44, 100)])
def test_any_multiple_of_four(size: tuple[int, int]) -> None:
    model = create_model("rgbd_mini").eval()
    with torch.no_grad():
        embedding = model(torch.randn(2, 3, *size), torch.randn(2, 1, *size)).embedding
    assert embedding.shape == (2, 384, size[0] // 4, size[1] // 4)
    assert torch.isfinite(embedding).all()


def test_color_and_depth_both_count() -> None:
    torch.manual_seed(0)
    model = create_model("rgbd_mini").eval()
    rgb, depth = torch.randn(1, 3, 64, 64), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        base = model(rgb, depth).embedding
        assert not torch.allclose(base, model(torch.zeros_like(rgb), depth).embedding)
        assert not torch.allclose(base, model(rgb, torch.zeros_like(depth)).embedding)


def test_learns_and_every_parameter_takes_part() -> None:
    torch.manual_seed(0)
    model = create_model("rgbd_mini").train()
    rgb, depth = torch.randn(2, 3, 64, 96), torch.randn(2, 1, 64, 96)
    target = torch.nn.functional.normalize(torch.randn(2, 384, 1, 1), dim=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(5):
        embedding = model(rgb, depth).embedding
        loss = (1 - torch.cosine_similarity(embedding, target, dim=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []
