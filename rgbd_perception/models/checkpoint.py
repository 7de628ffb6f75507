"""Loading weights into a network by name, with a report of what did not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

RENAMED = {"_orig_mod.": "", "fused_encoders.": "encoder."}
"""Traces of torch.compile and of old releases in the names of published checkpoints."""

PARALLEL = "module."
"""What data-parallel training puts before every name."""

CONTAINERS = ("state_dict", "model", "segmenter", "model_state_dict", "linear_probing_head_state_dict")
"""Keys under which published files hold their tensors, if not at the top."""


@dataclass(frozen=True)
class LoadReport:
    """Names by what became of them.

    missing     parameters of the network that the checkpoint does not have: they keep their values
    unexpected  entries of the checkpoint that the network does not have: ignored
    reshaped    same number of values in another shape: loaded
    mismatched  different number of values: not loaded
    """

    loaded: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]
    mismatched: tuple[str, ...]

    def require_complete(self) -> None:
        """Raise UserError unless every parameter of the network was loaded."""
        lost = [*self.missing, *self.mismatched]
        if lost:
            names = ", ".join(lost[:4]) + (", ..." if len(lost) > 4 else "")
            raise UserError(
                f"the weights are not of this network: {len(self.missing)} tensors missing, "
                f"{len(self.mismatched)} of another size ({names})"
            )


def load_checkpoint(model: nn.Module, source: str | Path | Mapping[str, Tensor]) -> LoadReport:
    """Copy what fits from a .pth or .safetensors file, or from a state dict, into ``model``.

    Nothing from a file is executed. Raises UserError where it cannot be read.
    """
    import torch

    entries = read_entries(Path(source)) if isinstance(source, str | Path) else source
    given = {_rename(name): tensor for name, tensor in _without_wrapper(entries).items()}
    own = model.state_dict()
    reshaped = [
        name
        for name in own
        if name in given and given[name].shape != own[name].shape and given[name].numel() == own[name].numel()
    ]
    mismatched = [name for name in own if name in given and given[name].numel() != own[name].numel()]
    fitting = [name for name in own if name in given and name not in mismatched]
    with torch.no_grad():
        for name in fitting:
            own[name].copy_(given[name].reshape(own[name].shape))
    return LoadReport(
        loaded=len(fitting),
        missing=tuple(name for name in own if name not in given),
        unexpected=tuple(name for name in given if name not in own),
        reshaped=tuple(reshaped),
        mismatched=tuple(mismatched),
    )


def _without_wrapper(entries: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Without the prefix of parallel training, once: further ones belong to the names."""
    if not all(name.startswith(PARALLEL) for name in entries):
        return entries
    return {name.removeprefix(PARALLEL): tensor for name, tensor in entries.items()}


def _rename(name: str) -> str:
    for old, new in RENAMED.items():
        name = name.replace(old, new)
    return name


def read_entries(path: Path) -> dict[str, Tensor]:
    """Tensors of a .pth or .safetensors file by name; nothing in it is executed. Raises UserError."""
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(str(path))
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"expected a checkpoint, got {path}, which does not exist") from error
    except (OSError, EOFError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        raise UserError(f"cannot read the checkpoint {path}: {error}") from error
    for key in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        places = ", ".join(CONTAINERS)
        raise UserError(f"expected a dictionary of tensors in {path}, maybe under one of {places}")
    return content
