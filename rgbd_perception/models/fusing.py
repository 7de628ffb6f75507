"""The form of a network for inference: what does not depend on the input is worked out once.

A module that has such a form of its own offers ``deploy``, which changes it in place; ``fused_copy`` calls it
on every part of a copy of the network. The result is the same function up to rounding.
"""

from __future__ import annotations

import copy
from typing import Protocol, TypeVar, runtime_checkable

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Module = TypeVar("Module", bound=nn.Module)


@runtime_checkable
class Deployable(Protocol):
    """A module with a form for inference."""

    def deploy(self) -> None:
        """Change to that form, in place; there is no way back."""


def fused_copy(model: Module) -> Module:
    """A copy of ``model`` for inference, in evaluation mode; ``model`` stays as it is."""
    fused = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(fused.modules()):
        if isinstance(module, Deployable):
            module.deploy()
    return fused


def fold_batch_norm(owner: nn.Module, conv: str, norm: str) -> None:
    """Fold the frozen batch norm called ``norm`` into the convolution ``conv`` before it, in float64."""
    convolution, batch_norm = owner.get_submodule(conv), owner.get_submodule(norm)
    if not isinstance(convolution, nn.Conv2d) or not isinstance(batch_norm, nn.BatchNorm2d):
        raise TypeError(f"expected a convolution and a batch norm, got {convolution} and {batch_norm}")
    dtype = convolution.weight.dtype
    folded = fuse_conv_bn_eval(convolution.eval().double(), batch_norm.eval().double())
    setattr(owner, conv, folded.to(dtype).requires_grad_(False))
    setattr(owner, norm, nn.Identity())
