"""Window attention of Swin V1 and V2: equalities that the fast forms rely on."""

from __future__ import annotations

import pytest
import torch

from rgbd_perception.models.swin import WindowAttentionV1
from rgbd_perception.models.swin_v2 import SwinBlockV2, WindowAttentionV2
from rgbd_perception.models.window_attention import WindowAttention

SIZES = [(16, 24), (13, 21), (8, 20), (5, 7)]
"""Without padding, with, one shift suppressed in V2, both."""

ATTENTIONS = [WindowAttentionV1, WindowAttentionV2]


def attention_of(kind: type[WindowAttention], window: int = 8, shift: int = 4) -> WindowAttention:
    """With biases that are not neutral."""
    attention = kind(16, heads=2, window=window, shift=shift)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return attention.eval()


@pytest.mark.parametrize("kind", ATTENTIONS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shift", [0, 4])
def test_training_and_inference_agree(kind: type[WindowAttention], size: tuple[int, int], shift: int) -> None:
    torch.manual_seed(1)
    attention = attention_of(kind, shift=shift)
    x = torch.randn(3, *size, 16)
    with torch.no_grad():
        trained = attention.train()(x)
        plain = attention.eval()(x)
        frozen = attention.deployed()
        twice = frozen(x), frozen(x)
    for other in (plain, *twice):
        torch.testing.assert_close(other, trained, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_frozen_attention_follows_the_size_of_the_map(kind: type[WindowAttention]) -> None:
    torch.manual_seed(2)
    attention = attention_of(kind)
    frozen = attention.deployed()
    with torch.no_grad():
        for size in (*SIZES, SIZES[0]):
            x = torch.randn(2, *size, 16)
            torch.testing.assert_close(frozen(x), attention(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_padded_tokens_survive_half_precision(kind: type[WindowAttention]) -> None:
    """Their keys are zero: over a length that underflows they would be NaN."""
    torch.manual_seed(8)
    attention = attention_of(kind)
    x = torch.randn(1, 5, 20, 16)
    with torch.no_grad():
        wanted = attention(x)
        for form in (attention.deployed(), attention):
            torch.testing.assert_close(form.half()(x.half()).float(), wanted, atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_a_batch_is_its_samples(kind: type[WindowAttention]) -> None:
    torch.manual_seed(3)
    attention = attention_of(kind)
    x = torch.randn(3, 24, 17, 16)
    with torch.no_grad():
        alone = torch.cat([attention(sample[None]) for sample in x])
        torch.testing.assert_close(attention(x), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_shifted_windows_do_not_wrap_around(kind: type[WindowAttention]) -> None:
    """A change at the left rim must not reach the right rim, although the shift is cyclic."""
    torch.manual_seed(4)
    attention = attention_of(kind)
    x = torch.randn(1, 16, 32, 16)
    changed = x.clone()
    changed[:, :, 0] += 3.0
    with torch.no_grad():
        difference = (attention(x) - attention(changed)).abs().amax(dim=(0, 1, 3))
    assert difference[:4].min() > 1e-3
    assert difference[8:].max() < 1e-6


def test_stored_key_bias_counts_as_zero() -> None:
    torch.manual_seed(5)
    attention = WindowAttentionV2(16, heads=2, window=8, shift=0).eval()
    x = torch.randn(1, 8, 8, 16)
    with torch.no_grad():
        before = attention(x)
        attention.qkv.bias[16:32] += 10.0
        torch.testing.assert_close(attention(x), before)


def test_gradients() -> None:
    torch.manual_seed(6)
    block = SwinBlockV2(4, heads=2, window=4, shift=2, mlp_ratio=2.0, drop_path=0.0).double().train()
    x = torch.randn(2, 6, 9, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, (x,), fast_mode=True)
