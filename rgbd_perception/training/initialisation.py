"""Starting values for training from scratch."""

from __future__ import annotations

from torch import nn

from rgbd_perception.models.swin_v2 import SwinBlockV2

LINEAR_STD = 0.02


def initialise(model: nn.Module, branch_scale: float) -> None:
    """Linears as in vision transformers: truncated normal, no bias; residual branches begin small.

    Swin V2's norms stand at the end of the residual branches. The authors start them at 0, which keeps the
    signal clean but wakes the branches slowly; ``branch_scale`` is a compromise for short trainings.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=LINEAR_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, SwinBlockV2):
            nn.init.constant_(module.norm1.weight, branch_scale)
            nn.init.constant_(module.norm2.weight, branch_scale)
