"""The training loop: distillation towards text-aligned targets within a budget of time or steps."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rgbd_perception.inference.preprocess import normalize, pad_to_multiple
from rgbd_perception.models import create_model
from rgbd_perception.training.averaging import WeightAverage
from rgbd_perception.training.batches import Batch, BatchMaker
from rgbd_perception.training.cells import Cells, EmbeddedCells, ProjectedCells
from rgbd_perception.training.checkpoint import Checkpoint, load_checkpoint_file, save_checkpoint
from rgbd_perception.training.class_targets import class_frequencies, class_weights
from rgbd_perception.training.clock import StopRequest, TrainingClock
from rgbd_perception.training.config import OptimizerConfig, TrainConfig
from rgbd_perception.training.initialisation import initialise
from rgbd_perception.training.losses import class_contrast_loss, cosine_distillation_loss
from rgbd_perception.training.muon import Muon
from rgbd_perception.training.prefetch import Prefetcher
from rgbd_perception.training.progress_log import ProgressLog, StepReport
from rgbd_perception.training.schedule import learning_rate, phase_at
from rgbd_perception.training.shards import Shard
from rgbd_perception.training.team import Team

ENDS = ("patch_embedder", "cpb_mlp", "logit_scale", "geometry", "_task_head")
"""Parts of names: what meets pixels, positions or the text space keeps AdamW."""


class Trainer:
    """One member of one training run in the folder ``out`` (``checkpoint.pt``, ``log.jsonl``)."""

    def __init__(
        self,
        config: TrainConfig,
        shards: list[Shard],
        class_embeddings: NDArray[np.float32],
        out: Path,
        team: Team | None = None,
    ) -> None:
        """class_embeddings (C, D) unit rows, in the order of the shards' class ids."""
        self._config, self._out, self._team = config, out, team or Team()
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.model = create_model(config.model)
        initialise(self.model, config.branch_scale)
        self.average = WeightAverage(self.model, config.optimizer.average_decay)
        self.clock = TrainingClock(config.budget)
        self._optimizers = make_optimizers(self.model, config.optimizer)
        self._classes = torch.from_numpy(class_embeddings)
        frequencies = class_frequencies(shards, len(class_embeddings))
        weights = class_weights(frequencies, config.loss.balance, config.loss.max_weight)
        self._class_weights = torch.from_numpy(weights)
        seed = config.seed * self._team.size + self._team.rank
        self._batches = BatchMaker(shards, config.batches, seed, self.model.config.stride)
        self._progress = 0.0

    def restore(self) -> None:
        """Continue from the checkpoint in ``out``; UserError where there is none."""
        checkpoint = load_checkpoint_file(self._out)
        self.model.load_state_dict(checkpoint.model)
        self.average.model.load_state_dict(checkpoint.average)
        self.average.updates = checkpoint.average_updates
        for optimizer, state in zip(self._optimizers, checkpoint.optimizers, strict=True):
            optimizer.load_state_dict(state)
        self.clock = TrainingClock(self._config.budget, checkpoint.step, checkpoint.elapsed_s)

    def save(self) -> None:
        """Write the checkpoint."""
        checkpoint = Checkpoint(
            model=self.model.state_dict(),
            average=self.average.model.state_dict(),
            average_updates=self.average.updates,
            optimizers=[optimizer.state_dict() for optimizer in self._optimizers],
            step=self.clock.step,
            elapsed_s=self.clock.elapsed_s,
        )
        save_checkpoint(self._out, checkpoint)

    def run(self) -> bool:
        """Train until the budget is spent (True), or until a signal asks to stop (False). Rank 0 saves."""
        torch.set_flush_denormal(True)  # of the whole thread: others must not inherit it
        try:
            return self._run()
        finally:
            torch.set_flush_denormal(False)

    def _run(self) -> bool:
        self.model.train()
        leads = self._team.rank == 0
        log = ProgressLog(self._out, self.clock)
        saved = time.monotonic()
        with StopRequest() as stop:
            proceed = self._agree(stop)
            with Prefetcher(self._make_batch, self.clock.step) as batches:
                while proceed:
                    report = self._step(batches.next())
                    proceed = self._agree(stop)
                    if leads:
                        self.average.update(self.model)
                        log.add(report)
                    if leads and time.monotonic() - saved >= 60.0 * self._config.checkpoint_minutes:
                        self.save()
                        saved = time.monotonic()
        if leads:
            self.save()
        return self._progress >= 1.0

    def _agree(self, stop: StopRequest) -> bool:
        """Whether to go on: rank 0's clock and rank 0's signals count, in every member."""
        self._progress, stopped = self._team.from_leader([self.clock.progress(), float(stop.requested)])
        return self._progress < 1.0 and not stopped

    def _make_batch(self, number: int) -> Batch:
        steps = self._config.budget.steps
        progress = number / steps if steps else self._progress
        phase = phase_at(progress, self._config.phases)
        return self._batches.make(number, phase.batch // self._team.size, phase.crop)

    def _step(self, batch: Batch) -> StepReport:
        loss_config, optimizer_config = self._config.loss, self._config.optimizer
        # Seeded by the step, not left to run on: so a resumed run draws the same stochastic depth.
        torch.manual_seed(
            (self._config.seed * 1_000_003 + self.clock.step) * self._team.size + self._team.rank
        )
        rate = learning_rate(self._progress, optimizer_config.rate)
        for group in (group for optimizer in self._optimizers for group in optimizer.param_groups):
            group["lr"] = rate
        cells = self._cells(batch)
        distillation = cosine_distillation_loss(cells, batch.tables, batch.indices)
        contrast = class_contrast_loss(
            cells, self._classes, batch.labels, self._class_weights, loss_config.temperature
        )
        self.model.zero_grad(set_to_none=True)
        (distillation + loss_config.contrast * contrast).backward()
        self._team.average_([item.grad for item in self.model.parameters() if item.grad is not None])
        gradient = nn.utils.clip_grad_norm_(self.model.parameters(), optimizer_config.clip_norm)
        if not torch.isfinite(gradient):
            raise FloatingPointError(f"the gradient of step {self.clock.step} is not finite")
        for optimizer in self._optimizers:
            optimizer.step()
        self.clock.step += 1
        samples = len(batch.color) * self._team.size
        return StepReport(distillation.item(), contrast.item(), gradient.item(), rate, samples)

    def _cells(self, batch: Batch) -> Cells:
        """What the network makes of a batch, padded as at inference and cut back to its grid."""
        config = self.model.config
        color, depth = torch.from_numpy(batch.color), torch.from_numpy(batch.depth)
        inputs = normalize(color, depth, config.depth_mean, config.depth_std)
        padded = [pad_to_multiple(tensor, config.input_multiple) for tensor in inputs]
        height, width = batch.indices.shape[1:]
        head = self.model.decoder.head_matrix()
        if head is None:
            return EmbeddedCells.of(self.model(*padded).embedding[:, :, :height, :width])
        return ProjectedCells.of(self.model.features(*padded)[:, :, :height, :width], *head)


def make_optimizers(model: nn.Module, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
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
