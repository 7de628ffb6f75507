"""The training loop, the same for every network: steps within a budget, checkpoints, one line when it fails.

A step is a function of its number and of the state before it: batches and random numbers are seeded by the
number. So a resumed run equals one that was never stopped, and nothing random is stored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rgbd_perception.errors import UserError
from rgbd_perception.training.averaging import WeightAverage
from rgbd_perception.training.checkpoint import FILE_NAME, Checkpoint, load_checkpoint_file, save_checkpoint
from rgbd_perception.training.clock import StopRequest, TrainingClock
from rgbd_perception.training.guards import is_out_of_memory, largest_fitting, spoilers
from rgbd_perception.training.objective import BatchSource, Objective, TrainingBatch
from rgbd_perception.training.prefetch import Prefetcher
from rgbd_perception.training.progress_log import ProgressLog, StepReport
from rgbd_perception.training.rates import Constant, Moment, Schedule
from rgbd_perception.training.run_config import BudgetConfig, RunConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Scorer = Callable[[nn.Module], float]


@dataclass(frozen=True)
class Training:
    """What the loop puts together.

    epoch_steps  steps of one epoch, for schedules that count epochs
    scorer       judges the averaged network every ``score_steps`` steps (0: never) from step ``score_from``
                 on, and at the end, in the first process; ``keep`` gets it when it is better than ever
    """

    objective: Objective
    optimizers: Sequence[torch.optim.Optimizer]
    batches: BatchSource
    budget: BudgetConfig
    schedule: Schedule = field(default_factory=Constant)
    epoch_steps: int = 1
    clip_norm: float = math.inf
    average_decay: float = 0.998
    score_steps: int = 0
    score_from: int = 0
    scorer: Scorer | None = None
    keep: Callable[[nn.Module, float], None] | None = None


class Trainer:
    """One process of one training run in the folder ``out`` (``checkpoint.pt``, ``log.jsonl``)."""

    def __init__(self, fabric: Fabric, config: RunConfig, training: Training, out: Path) -> None:
        if config.precision == "fp16" and len(training.optimizers) > 1:
            raise UserError("precision: fp16 scales the loss for one optimizer: use bf16, or no Muon")
        self._fabric, self._config, self._training, self._out = fabric, config, training, out
        self.network = training.objective.network
        self._peaks = [[group["lr"] for group in item.param_groups] for item in training.optimizers]
        self._objective: Any
        self._objective, *self._optimizers = fabric.setup(training.objective, *training.optimizers)
        self.average = WeightAverage(self.network, training.average_decay)
        self.clock = TrainingClock(training.budget)
        self._progress = 0.0
        self._best = -1.0

    def restore(self) -> None:
        """Continue from the checkpoint in ``out``; UserError where there is none, or another network's."""
        checkpoint = load_checkpoint_file(self._out)
        try:
            self.network.load_state_dict(checkpoint.model)
            self.average.model.load_state_dict(checkpoint.average)
            for optimizer, state in zip(self._training.optimizers, checkpoint.optimizers, strict=True):
                optimizer.load_state_dict(state)
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"{self._out / FILE_NAME} is not of this configuration: {str(error).splitlines()[-1].strip()}"
            ) from error
        self.average.updates = checkpoint.average_updates
        self._fabric.strategy.precision.load_state_dict(checkpoint.scaler)
        self._best = checkpoint.best
        self.clock = TrainingClock(self._training.budget, checkpoint.step, checkpoint.elapsed_s)

    def save(self) -> None:
        """Write the checkpoint. Raises UserError where the disk refuses; the one before it stays."""
        checkpoint = Checkpoint(
            model=self.network.state_dict(),
            average=self.average.model.state_dict(),
            average_updates=self.average.updates,
            optimizers=[optimizer.state_dict() for optimizer in self._training.optimizers],
            step=self.clock.step,
            elapsed_s=self.clock.elapsed_s,
            scaler=self._fabric.strategy.precision.state_dict(),
            best=self._best,
        )
        save_checkpoint(self._out, checkpoint)

    def run(self) -> bool:
        """Train until the budget is spent (True), or until a signal asks to stop (False). Rank 0 saves.

        Raises UserError where a loss is not finite or memory runs out; the checkpoint is of before that step.
        """
        torch.set_flush_denormal(True)  # of the whole thread: others must not inherit it
        try:
            return self._run()
        finally:
            torch.set_flush_denormal(False)

    def _run(self) -> bool:
        self._objective.train()
        leads = self._fabric.is_global_zero
        config = self._config
        log = ProgressLog(self._out, self.clock, config.log_seconds, config.tensorboard) if leads else None
        saved = time.monotonic()
        with StopRequest() as stop:
            proceed = self._agree(stop)
            with Prefetcher(self._make_parts, self.clock.step, self._config.loaders) as parts:
                while proceed:
                    began = time.monotonic()
                    batches = parts.next()
                    report = self._step(batches, began, time.monotonic())
                    proceed = self._agree(stop)
                    if log is None:
                        continue
                    self.average.update(self.network)
                    log.add(report)
                    self._score(log, last=not proceed and not stop.requested)
                    if time.monotonic() - saved >= 60.0 * self._config.checkpoint_minutes:
                        self.save()
                        saved = time.monotonic()
        if log is not None:
            log.close()
            self.save()
        return self._progress >= 1.0

    def _agree(self, stop: StopRequest) -> bool:
        """Whether to go on: rank 0's clock and rank 0's signals count, in every process."""
        said = [self.clock.progress(), float(stop.requested)]
        self._progress, stopped = self._shared(said if self._fabric.is_global_zero else [0.0, 0.0])
        return self._progress < 1.0 and not stopped

    def _shared(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self._fabric.world_size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self._fabric.device)
        summed: Tensor = self._fabric.all_reduce(tensor, reduce_op="sum")  # type: ignore[assignment]
        return [float(value) for value in summed.tolist()]

    def _make_parts(self, number: int) -> list[TrainingBatch]:
        """This process's share of batch ``number``, in the parts that are worked off one after the other."""
        steps = self._training.budget.steps
        progress = number / steps if steps else self._progress
        count = self._config.accumulate
        first, parts = self._fabric.global_rank * count, self._fabric.world_size * count
        return [self._training.batches.make(number, progress, first + part, parts) for part in range(count)]

    def _step(self, batches: list[TrainingBatch], began: float, ready: float) -> StepReport:
        rate = self._begin_step()
        names = list(batches[0].counts)
        wholes = self._shared([sum(batch.counts[name] for batch in batches) for name in names])
        sums = dict.fromkeys(names, 0.0)
        produced: set[str] = set()
        for index, batch in enumerate(batches):
            # The share of this part in the mean over the whole batch; averaged gradients are divided by the
            # number of processes once more.
            shares = {
                name: batch.counts[name] / whole if whole else 0.0
                for name, whole in zip(names, wholes, strict=True)
            }
            terms = self._backward(batch, shares, last=index == len(batches) - 1)
            produced |= terms.keys()
            for name, value in terms.items():
                sums[name] += value * shares[name]
        *means, samples = self._shared([*sums.values(), float(sum(len(batch.names) for batch in batches))])
        gradient = self._fabric.clip_gradients(
            self._objective,
            self._optimizers[0],
            max_norm=self._training.clip_norm,
            error_if_nonfinite=False,
        )
        length = float(gradient) if gradient is not None else 0.0
        self._check(means, length, batches)
        for optimizer in self._optimizers:
            optimizer.step()
        self.clock.step += 1
        now = time.monotonic()
        found = {name: mean for name, mean in zip(names, means, strict=True) if name in produced}
        return StepReport(found, length, rate, int(samples), ready - began, now - began)

    def _begin_step(self) -> float:
        """Seeds, learning rates, no gradients; returns the rate of the first group."""
        step, training = self.clock.step, self._training
        # Seeded by the step, not left to run on: so a resumed run draws the same stochastic depth.
        torch.manual_seed(
            (self._config.seed * 1_000_003 + step) * self._fabric.world_size + self._fabric.global_rank
        )
        moment = Moment(step, training.budget.steps, self._progress, training.epoch_steps)
        stage, factor = training.schedule.stage(moment), training.schedule.factor(moment)
        if step and stage != training.schedule.stage(moment._replace(step=step - 1)):
            for optimizer in training.optimizers:
                optimizer.state.clear()
        for optimizer, peaks in zip(training.optimizers, self._peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
        self._objective.zero_grad(set_to_none=True)
        return self._peaks[0][0] * factor

    def _backward(self, batch: TrainingBatch, shares: dict[str, float], last: bool) -> dict[str, float]:
        """Add the gradients of one part; returns its terms."""
        world = self._fabric.world_size
        try:
            with self._fabric.no_backward_sync(self._objective, enabled=not last and world > 1):
                terms: dict[str, Tensor] = self._objective(self._fabric.to_device(batch))
                loss = torch.stack([world * shares[name] * term for name, term in terms.items()]).sum()
                self._fabric.backward(loss)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(self._advice(batch)) from error
        return {name: float(term.detach()) for name, term in terms.items()}

    def _advice(self, batch: TrainingBatch) -> str:
        """What to do about memory that ran out."""
        size = len(batch.names)
        fitting = largest_fitting(self._training.objective, self._fabric.to_device(batch))
        said = f"out of memory at step {self.clock.step} with {size} samples at once: "
        if not fitting:
            return said + "not even one fits: use smaller crops, a smaller network, or precision=bf16"
        parts = self._config.accumulate * math.ceil(size / fitting)
        return said + f"{fitting} would fit: accumulate={parts} trains the same batch in such parts"

    def _check(self, terms: Sequence[float], gradient: float, batches: Sequence[TrainingBatch]) -> None:
        """UserError where the step would spoil the weights; in every process, for the gradient is shared."""
        finite = all(map(math.isfinite, terms))
        if finite and (math.isfinite(gradient) or self._config.precision == "fp16"):
            return  # in fp16 the scaler leaves such a step out and scales less
        found = spoilers(self._training.objective, [self._fabric.to_device(batch) for batch in batches])
        what = "gradient" if finite else "loss"
        where = f"of sample {', '.join(found)}" if found else "of no single sample by itself: lower the rate"
        kept = (
            "the checkpoint before it stays" if (self._out / FILE_NAME).exists() else "nothing was saved yet"
        )
        if not found and not self._fabric.is_global_zero:
            where = "in another process"
        raise UserError(f"the {what} of step {self.clock.step} is not finite, {where}; {kept}")

    def _score(self, log: ProgressLog, last: bool) -> None:
        """Judge the averaged network when it is time, and keep it when it is the best so far."""
        training = self._training
        step = self.clock.step
        due = training.score_steps and step % training.score_steps == 0 and step >= training.score_from
        if training.scorer is None or not (due or last):
            return
        score = training.scorer(self.average.model)
        log.note(score=score)
        if score > self._best:
            self._best = score
            if training.keep is not None:
                training.keep(self.average.model, score)
