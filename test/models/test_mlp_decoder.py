"""The decoder of DVEFormer: the equality that its fast form relies on."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from rgbd_perception.models.mlp_decoder import MlpDecoder


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
