"""Window attention and the decoder: equalities that the fast forms rely on."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from rgbd_perception.models.mlp_decoder import MlpDecoder
from rgbd_perception.models.swin_v2 import SwinBlockV2, WindowAttentionV2

SIZES = [(16, 24), (13, 21), (8, 20), (5, 7)]
"""Without padding, with, one shift suppressed, both."""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shift", [0, 4])
def test_training_and_inference_agree(size: tuple[int, int], shift: int) -> None:
    torch.manual_seed(1)
    attention = WindowAttentionV2(16, heads=2, window=8, shift=shift)
    x = torch.randn(3, *size, 16)
    with torch.no_grad():
        trained = attention.train()(x)
        plain = attention.eval()(x)
        frozen = attention.deployed()
        twice = frozen(x), frozen(x)
    for other in (plain, *twice):
        torch.testing.assert_close(other, trained, atol=1e-5, rtol=1e-5)


def test_frozen_attention_follows_the_size_of_the_map() -> None:
    torch.manual_seed(2)
    attention = WindowAttentionV2(16, heads=2, window=8, shift=4).eval()
    frozen = attention.deployed()
    with torch.no_grad():
        for size in (*SIZES, SIZES[0]):
            x = torch.randn(2, *size, 16)
            torch.testing.assert_close(frozen(x), attention(x), atol=1e-5, rtol=1e-5)


def test_padded_tokens_survive_half_precision() -> None:
    """Their keys are zero: over a length that underflows they would be NaN."""
    torch.manual_seed(8)
    attention = WindowAttentionV2(16, heads=2, window=8, shift=4).eval()
    x = torch.randn(1, 5, 20, 16)
    with torch.no_grad():
        wanted = attention(x)
        for form in (attention.deployed(), attention):
            torch.testing.assert_close(form.half()(x.half()).float(), wanted, atol=5e-3, rtol=5e-3)


def test_a_batch_is_its_samples() -> None:
    torch.manual_seed(3)
    attention = WindowAttentionV2(16, heads=2, window=8, shift=4).eval()
    x = torch.randn(3, 24, 17, 16)
    with torch.no_grad():
        alone = torch.cat([attention(sample[None]) for sample in x])
        torch.testing.assert_close(attention(x), alone, atol=1e-5, rtol=1e-5)


def test_shifted_windows_do_not_wrap_around() -> None:
    """A change at the left rim must not reach the right rim, although the shift is cyclic."""
    torch.manual_seed(4)
    attention = WindowAttentionV2(16, heads=2, window=8, shift=4).eval()
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


def test_fusing_before_upsampling_is_fusing_the_concatenation() -> None:
    torch.manual_seed(7)
    decoder = MlpDecoder((8, 16, 32, 64), (16, 8, 4, 4), fused=12, out_channels=5, upsamplings=0, dropout=0.0)
    decoder.eval()
    context = torch.randn(2, 64, 3, 4)
    skips = [torch.randn(2, 24 // 2**level, 32 // 2**level, 8 * 2**level) for level in range(3)]
    with torch.no_grad():
        branches = [decoder.main_branch.embedding.conv(context)]
        for skip, norm, branch in zip(skips[::-1], decoder.skip_fusions, decoder.skip_branches, strict=True):
            branches.append(branch.embedding.conv(norm(skip).permute(0, 3, 1, 2)))
        upsampled = [F.interpolate(branch, size=(24, 32), mode="bilinear") for branch in branches]
        wanted = decoder._task_head(decoder.fuse(torch.cat(upsampled, dim=1)))
        torch.testing.assert_close(decoder(context, skips), wanted, atol=1e-5, rtol=1e-5)
