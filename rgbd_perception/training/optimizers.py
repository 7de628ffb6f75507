"""Optimizers and which parameters get which rate and decay."""

from __future__ import annotations

import torch
from torch import nn

from rgbd_perception.training.config import OptimizerConfig
from rgbd_perception.training.muon import Muon

ENDS = ("patch_embedder", "cpb_mlp", "logit_scale", "geometry", "_task_head")
"""Parts of names: what meets pixels, positions or the text space keeps AdamW."""


def make_muon(model: nn.Module, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside of the network; AdamW for what is at its ends or no matrix.

    Vectors and scalars (norms, biases, logit scales) are not decayed.
    """
    matrices, others, vectors = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.ndim <= 1:
            vectors.append(parameter)
        elif config.muon and parameter.shape[2:].numel() == 1 and not any(end in name for end in ENDS):
            matrices.append(parameter)
        else:
            others.append(parameter)
    groups = [
        {"params": others, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=config.rate.peak, betas=(0.9, 0.98), foreach=True)
    if not matrices:
        return [adamw]
    return [Muon(matrices, lr=config.rate.peak, weight_decay=config.weight_decay), adamw]
