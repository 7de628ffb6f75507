"""Training state on disk: written whole or not at all, read without running anything from the file."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rgbd_perception.errors import UserError

FILE_NAME = "checkpoint.pt"


@dataclass(frozen=True)
class Checkpoint:
    """All that continuing needs: networks, optimizers, place in the schedule.

    There is no state of random numbers: they are seeded by the number of the step.
    """

    model: dict[str, Tensor]
    average: dict[str, Tensor]
    average_updates: int
    optimizers: list[dict[str, Any]]
    step: int
    elapsed_s: float


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of ``folder``; a kill at any moment leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / (FILE_NAME + ".part")
    with part.open("wb") as file:
        torch.save(vars(checkpoint), file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / FILE_NAME)


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
