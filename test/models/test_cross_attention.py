"""Attention between two streams: against torch's own attention, and where information flows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rgbd_perception.models.cross_attention import (
    CrossAttention,
    PixelCrossAttention,
    WindowedCrossAttention,
)
from rgbd_perception.models.fusion import PixelAttention

DIM, HEADS, WINDOW = 16, 2, 4


def streams(height: int, width: int) -> Tensor:
    """Two images of each stream."""
    torch.manual_seed(1)
    return torch.randn(4, height, width, DIM)


def local(shifted: bool = False) -> WindowedCrossAttention:
    torch.manual_seed(0)
    return WindowedCrossAttention(DIM, HEADS, WINDOW, shifted)


def reference(packed: tuple[Tensor, Tensor], out: nn.Linear, own: Tensor, other: Tensor) -> Tensor:
    """Torch's attention of maps (B, H, W, C) with packed projections of queries, keys and values."""
    attention = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    with torch.no_grad():
        attention.in_proj_weight.copy_(packed[0])
        attention.in_proj_bias.copy_(packed[1])
        attention.out_proj.load_state_dict(out.state_dict())
        keys = other.flatten(1, 2)
        return attention(own.flatten(1, 2), keys, keys, need_weights=False)[0].view(own.shape)


def touched(module: nn.Module, x: Tensor, row: int, column: int) -> Tensor:
    """(H, W): which pixels of the first stream change when one of the second stream does."""
    moved = x.clone()
    moved[2:, row, column] += 1.0
    with torch.no_grad():
        change = (module(moved) - module(x))[:2]
    return change.abs().amax(dim=(0, 3)) > 1e-7


def test_full_attention_against_torch() -> None:
    torch.manual_seed(0)
    module = CrossAttention(DIM, HEADS)
    identity = nn.Linear(DIM, DIM)
    nn.init.eye_(identity.weight)
    nn.init.zeros_(identity.bias)
    x = streams(3, 5)
    packed = module.qkv.weight, module.qkv.bias
    for direction, found in enumerate(module(x).chunk(2)):
        own, other = x.chunk(2)[direction], x.chunk(2)[1 - direction]
        torch.testing.assert_close(found, own + reference(packed, identity, own, other))
    assert touched(module, x, 2, 4).all()


def test_one_window_against_torch() -> None:
    module = local()
    layer = module.layers[0]
    x = streams(WINDOW, WINDOW)
    for direction, found in enumerate(module(x).chunk(2)):
        asking, answering = layer.qkv.streams[direction], layer.qkv.streams[1 - direction]
        packed = (
            torch.cat((asking.weight[:DIM], answering.weight[DIM:])),
            torch.cat((asking.bias[:DIM], answering.bias[DIM:])),
        )
        own, other = x.chunk(2)[direction], x.chunk(2)[1 - direction]
        wanted = own + reference(packed, layer.proj.streams[direction], own, other)
        torch.testing.assert_close(found, wanted)


def test_windows_keep_to_themselves_and_shifted_ones_connect_them() -> None:
    x = streams(8, 8)
    wanted = torch.zeros(8, 8, dtype=torch.bool)
    wanted[:4, :4] = True
    assert torch.equal(touched(local(), x, 3, 1), wanted)
    wanted[2:6, :2] = True  # the shifted window holds columns 6, 7, 0 and 1, but 7 is no neighbour of 0
    assert torch.equal(touched(local(shifted=True), x, 3, 1), wanted)


def test_padding_is_cut_off_again() -> None:
    x = streams(5, 6)
    with torch.no_grad():
        found = local(shifted=True)(x)
    assert found.shape == x.shape and found.isfinite().all()


def test_pixels_against_torch() -> None:
    torch.manual_seed(0)
    module = PixelCrossAttention(DIM, HEADS)
    x = streams(2, 3)
    for direction, found in enumerate(module(x).chunk(2)):
        attention = module.directions[direction]
        assert isinstance(attention, PixelAttention)
        own, other = (x.chunk(2)[index].reshape(-1, 1, 1, DIM) for index in (direction, 1 - direction))
        packed = attention.in_proj_weight, attention.in_proj_bias
        wanted = own + reference(packed, attention.out_proj, own, other)
        torch.testing.assert_close(found.reshape(wanted.shape), wanted)
    assert touched(module, x, 1, 2).nonzero().tolist() == [[1, 2]]


def test_one_key_leaves_queries_and_keys_without_gradient() -> None:
    """Not a defect of ours: the published compute has no room for a second key."""
    torch.manual_seed(0)
    module = PixelCrossAttention(DIM, HEADS)
    module(streams(2, 3)).square().sum().backward()
    for attention in module.directions:
        gradient = attention.in_proj_weight.grad
        assert not gradient[: 2 * DIM].any() and gradient[2 * DIM :].any()


@pytest.mark.parametrize(
    ("module", "count"),
    [
        (CrossAttention(DIM, HEADS), 3 * DIM**2 + 3 * DIM),
        (local(), 8 * DIM**2 + 8 * DIM),
        (local(shifted=True), 16 * DIM**2 + 16 * DIM),
        (PixelCrossAttention(DIM, HEADS), 8 * DIM**2 + 8 * DIM),
    ],
)
def test_parameters(module: nn.Module, count: int) -> None:
    assert sum(parameter.numel() for parameter in module.parameters()) == count
