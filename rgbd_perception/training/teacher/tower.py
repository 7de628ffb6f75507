"""Alpha-CLIP's image tower: CLIP's, with a mask as a fourth channel (Sun et al., arXiv:2312.03818).

Alpha-CLIP adds a second, bias-free patch convolution for the mask to that of the colors. The sum of two
convolutions is one over the stacked channels: so open_clip's tower runs unchanged, with a wider first layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from rgbd_perception.errors import UserError
from rgbd_perception.text.open_clip_loader import load_open_clip_module

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIX = "visual."
COLOR_PATCHES = "conv1.weight"
MASK_PATCHES = "conv1_alpha.weight"
RENAMED = {".attn.in_proj.": ".attn.in_proj_"}
"""Other spellings of the same tensors: a linear layer where CLIP has bare parameters."""


@dataclass(frozen=True)
class TowerConfig:
    """Sizes of the tower; the defaults are ViT-L/14@336."""

    image_size: int = 336
    patch_size: int = 14
    width: int = 1024
    layers: int = 24
    heads: int = 16
    dim: int = 768


def build_tower(config: TowerConfig) -> nn.Module:
    """The network (B, 4, S, S) -> (B, D) with random weights. Raises UserError where open_clip is missing."""
    from torch import nn

    load_open_clip_module()
    parts = import_module("open_clip.transformer")
    tower = parts.VisionTransformer(
        image_size=config.image_size,
        patch_size=config.patch_size,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        mlp_ratio=4.0,
        output_dim=config.dim,
        act_layer=parts.QuickGELU,  # OpenAI's, as all that was trained from it
    )
    tower.conv1 = nn.Conv2d(4, config.width, config.patch_size, stride=config.patch_size, bias=False)
    return tower.eval().requires_grad_(False)


def load_tower(tower: nn.Module, entries: Mapping[str, Tensor]) -> None:
    """Put the tensors of a checkpoint by name into ``tower``, as float32.

    Takes Alpha-CLIP's image tower alone and a whole CLIP (names after "visual."). Without the convolution of
    the mask it starts at zero: then the tower is CLIP's and masks have no effect. Raises UserError, which
    names what is missing, too much or of another size.
    """
    given = tower_entries(tower, entries)
    tower.load_state_dict({name: tensor.float() for name, tensor in given.items()})


def tower_entries(tower: nn.Module, entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of ``tower`` (which may be one without memory) from a checkpoint. Raises UserError."""
    given = _named_entries(entries)
    color = given.pop(COLOR_PATCHES, None)
    mask = given.pop(MASK_PATCHES, None)
    own = tower.state_dict()
    if color is not None:
        given[COLOR_PATCHES] = _stack(color, color[:, :1] * 0.0 if mask is None else mask)
    lost = sorted(set(own) - set(given))
    foreign = sorted(set(given) - set(own))
    unequal = sorted(name for name in set(own) & set(given) if own[name].shape != given[name].shape)
    for names, what in ((lost, "missing"), (foreign, "unknown"), (unequal, "of another size")):
        if names:
            some = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
            raise UserError(f"the weights are not of this tower of Alpha-CLIP: {len(names)} {what} ({some})")
    return given


def _named_entries(entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of the image tower, under open_clip's names."""
    if any(name.startswith(PREFIX) for name in entries):
        entries = {
            name.removeprefix(PREFIX): tensor for name, tensor in entries.items() if name.startswith(PREFIX)
        }
    named = {}
    for name, tensor in entries.items():
        for old, new in RENAMED.items():
            name = name.replace(old, new)
        named[name] = tensor
    return named


def _stack(color: Tensor, mask: Tensor) -> Tensor:
    import torch

    if color.ndim != 4 or color.shape[1] != 3 or mask.shape != (len(color), 1, *color.shape[2:]):
        raise UserError(
            f"expected patch convolutions (W, 3, P, P) and (W, 1, P, P), got {tuple(color.shape)} and "
            f"{tuple(mask.shape)}"
        )
    return torch.cat((color.float(), mask.float()), dim=1)
