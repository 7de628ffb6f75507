"""The whole training of a network, from nothing to a weights file: render, train, calibrate, export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import WeightsInfo
from rgbd_perception.training.checkpoint import FILE_NAME
from rgbd_perception.training.config import TrainConfig
from rgbd_perception.training.export import export_run
from rgbd_perception.training.launch import launch
from rgbd_perception.training.render_shards import load_classes, render_all
from rgbd_perception.training.shard_training import make_shard_trainer
from rgbd_perception.training.shards import open_shards

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Folders:
    """Rendered views (``train/``, ``validation/``, ``test/``) and the folder of the run."""

    shards: Path
    out: Path

    @property
    def weights(self) -> Path:
        """The file that a finished run writes."""
        return self.out / "weights.safetensors"


def distill(
    config: TrainConfig, folders: Folders, *, resume: bool, render: bool = True
) -> WeightsInfo | None:
    """Run every step; None where a signal ended the training early (its checkpoint is saved).

    ``render`` False trains on the shards that are there. UserError where ``folders.out`` holds another run's
    checkpoint and ``resume`` is off, or none and it is on.
    """
    exists = (folders.out / FILE_NAME).exists()
    if exists and not resume:
        raise UserError(f"{folders.out} holds a checkpoint: pass --resume to continue it, or another --out")
    if resume and not exists:
        raise UserError(f"expected a checkpoint in {folders.out}, found none: train without --resume first")
    if render:
        render_all(config.views, folders.shards, config.text_space, config.processes)
    finished = launch(config, train_member, config, folders, resume)
    return export(config, folders, folders.weights) if finished else None


def train_member(fabric: Fabric, config: TrainConfig, folders: Folders, resume: bool) -> bool:
    """What every process does; True where the budget was spent."""
    shards = open_shards(folders.shards / "train")
    trainer = make_shard_trainer(fabric, config, shards, load_classes(folders.shards), folders.out)
    if resume:
        trainer.restore()
    return trainer.run()


def export(config: TrainConfig, folders: Folders, path: Path) -> WeightsInfo:
    """Write the averaged weights of the run's newest checkpoint to ``path``."""
    validation = open_shards(folders.shards / "validation")
    return export_run(config, folders.out, validation, load_classes(folders.shards), path)
