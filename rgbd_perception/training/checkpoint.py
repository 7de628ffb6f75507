"""Training state on disk: written whole or not at all, read without running anything from the file."""

from __future__ import annotations

import contextlib
import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rgbd_perception.errors import UserError

FILE_NAME = "checkpoint.pt"


@dataclass(frozen=True)
class Checkpoint:
    """All that continuing needs: networks, optimizers, place in the schedule.

    There is no state of random numbers: they are seeded by the number of the step. ``scaler`` is that of the
    gradients in fp16, ``best`` the best score on validation data so far.
    """

    model: dict[str, Tensor]
    average: dict[str, Tensor]
    average_updates: int
    optimizers: list[dict[str, Any]]
    step: int
    elapsed_s: float
    scaler: dict[str, Any] = field(default_factory=dict)
    best: float = -1.0


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of ``folder``; a kill at any moment leaves the old one or the new one.

    Raises UserError where the disk refuses; the old one stays.
    """
    path = folder / FILE_NAME
    part = folder / (FILE_NAME + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            torch.save(vars(checkpoint), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch hides the OSError of a full disk in a RuntimeError
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        stays = "the one before it stays" if path.exists() else "there is none before it"
        raise UserError(
            f"cannot write the checkpoint {path}: {_reason(error)}; {stays}: make room, then --resume"
        ) from error


def load_checkpoint_file(folder: Path) -> Checkpoint:
    """Read the checkpoint of ``folder``; UserError where there is none or it is damaged."""
    path = folder / FILE_NAME
    try:
        return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise UserError(
            f"expected a checkpoint in {path}, found none: train without --resume first"
        ) from error
    except (OSError, EOFError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        raise UserError(f"cannot read the checkpoint {path}: {error}") from error


def _reason(error: BaseException) -> str:
    """The system's words where they are somewhere among the causes, else the first line of ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause.strerror or str(cause)
        cause = cause.__cause__ or cause.__context__
    return str(error).splitlines()[0]
