"""Loading weights into a network by name, with a report of what did not fit."""

from __future__ import annotations

import io
import tarfile
import zlib
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

READ_AT_ONCE = 1 << 20
PACKED = (".pth", ".pt", ".pth.tar")
"""How the names of checkpoints end inside an archive."""


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
    """Copy what fits into ``model``, from a state dict or from a file that ``read_entries`` takes.

    Nothing from a file is executed. Raises UserError where it cannot be read.
    """
    import torch

    entries = read_entries(Path(source)) if isinstance(source, str | Path) else source
    given = plain_names(entries)
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


def plain_names(entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a published file under the names of this package's networks."""
    return {_rename(name): tensor for name, tensor in _without_wrapper(entries).items()}


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
    """Tensors of a checkpoint by name; nothing in the file is executed. Raises UserError.

    Takes .safetensors files, what ``torch.save`` wrote (.pth, .pth.tar), and archives that hold one such file
    (.pth.tar.gz).
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(str(path))
        _allow_numbers()
        content: Any = torch.load(_unpacked(path), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"expected a checkpoint, got {path}, which does not exist") from error
    except (
        OSError,
        EOFError,
        RuntimeError,
        SafetensorError,
        pickle.UnpicklingError,
        tarfile.TarError,
        zlib.error,
    ) as error:
        raise UserError(f"cannot read the checkpoint {path}: {error}") from error
    except UserError:
        raise
    except Exception as error:  # foreign bytes as instructions of a pickle can fail in any way
        raise UserError(f"cannot read the checkpoint {path}: it is none that torch.save wrote") from error
    for key in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        places = ", ".join(CONTAINERS)
        raise UserError(f"expected a dictionary of tensors in {path}, maybe under one of {places}")
    return content


def _unpacked(path: Path) -> Path | io.BytesIO:
    """The checkpoint itself: ``path``, or what an archive at ``path`` holds."""
    if not tarfile.is_tarfile(path):
        return path
    with tarfile.open(path) as archive:
        names = [item.name for item in archive if item.isfile() and item.name.endswith(PACKED)]
        if len(names) != 1:
            raise UserError(
                f"expected one checkpoint in the archive {path}, got {', '.join(names) or 'none'}"
            )
        file = archive.extractfile(names[0])
        assert file is not None and archive.fileobj is not None  # it is a file, in an open archive
        content = io.BytesIO(file.read())
        while archive.fileobj.read(READ_AT_ONCE):
            pass  # at its end a compressed file has a checksum, which is compared when it is reached
        return content


def _allow_numbers() -> None:
    """Let ``weights_only`` pass numpy's numbers: authors store scores beside the weights."""
    import numpy as np
    import torch

    if not hasattr(torch.serialization, "safe_globals"):  # torch before 2.5 has no such list
        return
    scalar: Any = np.float64(0).__reduce__()[0]
    numbers = (np.float16, np.float32, np.float64, np.int32, np.int64, np.bool_)
    torch.serialization.add_safe_globals(
        [
            (scalar, "numpy.core.multiarray.scalar"),  # as numpy 1 wrote it
            (scalar, "numpy._core.multiarray.scalar"),
            np.dtype,
            *(type(np.dtype(number)) for number in numbers),
        ]
    )
