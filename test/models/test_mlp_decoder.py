"""The decoder of DVEFormer: the definition, and that its form for inference is the same with less work."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from rgbd_perception.models.mlp_decoder import BranchFusion

BRANCHES, FUSED = (16, 8, 4, 4), 12


@torch.no_grad()
def test_fusing_before_upsampling_is_fusing_the_concatenation() -> None:
    torch.manual_seed(7)
    fusion = BranchFusion(BRANCHES, FUSED).eval()
    fusion.norm.running_mean.uniform_(-1, 1)
    fusion.norm.running_var.uniform_(0.5, 2)
    maps = [torch.randn(2, 3 << level, 4 << level, width) for level, width in enumerate(BRANCHES)]
    upsampled = [F.interpolate(x.permute(0, 3, 1, 2), size=(24, 32), mode="bilinear") for x in maps]
    wanted = fusion.norm(fusion.conv(torch.cat(upsampled, dim=1))).relu()
    torch.testing.assert_close(fusion(maps), wanted)
    folded = copy.deepcopy(fusion).deployed()
    torch.testing.assert_close(folded(maps), wanted, atol=1e-5, rtol=1e-5)
    work = []
    for form in (fusion, folded):
        with FlopCounterMode(display=False) as counter:
            form(maps)
        work.append(counter.get_total_flops())
    assert work == [2 * 2 * 24 * 32 * FUSED * 32, 2 * 2 * 12 * FUSED * (16 + 4 * 8 + 16 * 4 + 64 * 4)]
