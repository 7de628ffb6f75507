"""Optimizers and which parameters get which rate and decay."""

from __future__ import annotations

import re

import torch
from torch import nn

from rgbd_perception.training.config import OptimizerConfig
from rgbd_perception.training.muon import Muon
from rgbd_perception.training.recipe import GroupConfig, Recipe, Sgd

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


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer of a recipe, one group of parameters for each of its groups that has any, and the rest.

    Parameters of a frozen group lose their gradient.
    """
    members: list[list[nn.Parameter]] = [[] for _ in (*recipe.groups, None)]
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        place = next(
            (index for index, group in enumerate(recipe.groups) if _belongs(name, parameter, group)), -1
        )
        if place >= 0 and recipe.groups[place].frozen:
            parameter.requires_grad_(False)
        else:
            members[place].append(parameter)
    chosen = recipe.optimizer
    groups = [
        {"params": params, "lr": recipe.rate * group.rate, "weight_decay": chosen.decay * group.decay}
        for group, params in zip((*recipe.groups, GroupConfig()), members, strict=True)
        if params
    ]
    if isinstance(chosen, Sgd):
        return torch.optim.SGD(
            groups, lr=recipe.rate, momentum=chosen.momentum, nesterov=chosen.nesterov, foreach=True
        )
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=chosen.betas, foreach=True)


def _belongs(name: str, parameter: nn.Parameter, group: GroupConfig) -> bool:
    fits = {"any": True, "vectors": parameter.ndim <= 1, "matrices": parameter.ndim > 1}[group.shape]
    return fits and re.search(group.names, name) is not None
