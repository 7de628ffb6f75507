"""The form of a network for inference: what does not depend on the input is worked out once.

A module with such a form offers ``deployed``; ``fused_copy`` puts those forms into a copy of the network. The
result is the same function up to rounding: what is folded is exact in real numbers, and folded in float64.
"""

from __future__ import annotations

import copy
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Module = TypeVar("Module", bound=nn.Module)


@runtime_checkable
class Deployable(Protocol):
    """A module with a form for inference."""

    def deployed(self) -> nn.Module:
        """The module that takes its place: another one, or this one after changes. There is no way back."""


@runtime_checkable
class Preparable(Protocol):
    """A backbone with constants that depend on the size of the images."""

    def prepare(self, height: int, width: int) -> None:
        """Work out those for images of this size."""


def fused_copy(model: Module, size: tuple[int, int]) -> Module:
    """A copy of ``model`` for inference, in evaluation mode and prepared for images of ``size`` (H, W).

    ``model`` stays as it is.
    """
    fused = copy.deepcopy(model).eval().requires_grad_(False)
    _deploy_children(fused)
    for module in fused.modules():
        if isinstance(module, Preparable):
            module.prepare(*size)
    return fused.eval().requires_grad_(False)


def fold_batch_norm(owner: nn.Module, conv: str, norm: str) -> None:
    """Fold the frozen batch norm called ``norm`` into the convolution ``conv`` before it."""
    convolution, batch_norm = owner.get_submodule(conv), owner.get_submodule(norm)
    if not isinstance(convolution, nn.Conv2d) or not isinstance(batch_norm, nn.BatchNorm2d):
        raise TypeError(f"expected a convolution and a batch norm, got {convolution} and {batch_norm}")
    dtype = convolution.weight.dtype
    folded = fuse_conv_bn_eval(convolution.double(), batch_norm.double())
    setattr(owner, conv, folded.to(dtype))
    setattr(owner, norm, nn.Identity())


def linear_of(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A layer with copies of these parameters."""
    layer = nn.Linear(
        weight.shape[1], weight.shape[0], bias=bias is not None, device=weight.device, dtype=weight.dtype
    )
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def _deploy_children(module: nn.Module) -> None:
    """From the leaves up: a form may rely on those of its parts."""
    for name, child in list(module.named_children()):
        _deploy_children(child)
        if isinstance(child, Deployable):
            setattr(module, name, child.deployed())
