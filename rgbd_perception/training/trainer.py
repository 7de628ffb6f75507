"""The training loop, the same for every network: steps within a budget, checkpoints, one line when it fails.

A step is a function of its number and of the state before it: batches and random numbers are seeded by the
number. So a resumed run equals one that was never stopped, and nothing random is stored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from rgbd_perception.errors import UserError
from rgbd_perception.training.averaging import WeightAverage
from rgbd_perception.training.checkpoint import FILE_NAME, Checkpoint, load_checkpoint_file, save_checkpoint
from rgbd_perception.training.clock import StopRequest, TrainingClock
from rgbd_perception.training.guards import is_out_of_memory, memory_advice, spoilers
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


class _Step(NamedTuple):
    """What one process did in a step: ``sums`` are its shares of the terms ``names``, and its samples."""

    names: list[str]
    sums: list[float]
    gradient: float
    rate: float

    def report(self, sums: Sequence[float], waiting_s: float, seconds: float) -> StepReport:
        """The step with the sums over all processes."""
        *means, samples = sums
        terms = dict(zip(self.names, means, strict=True))
        return StepReport(terms, self.gradient, self.rate, int(samples), waiting_s, seconds)


class _Agreed(NamedTuple):
    """What holds for all processes: ``wholes`` are counts of the next batch, ``sums`` of the last step."""

    proceed: bool
    wholes: dict[str, float]
    sums: list[float]


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
        config = self._config
        log = None
        if self._fabric.is_global_zero:
            log = ProgressLog(self._out, self.clock, config.log_seconds, config.tensorboard)
        saved = time.monotonic()
        with StopRequest() as stop, Prefetcher(self._make_parts, self.clock.step, config.loaders) as parts:
            batches = parts.next()
            agreed = self._agree(stop, batches)
            while agreed.proceed:
                began = time.monotonic()
                step = self._step(batches, agreed.wholes)
                worked, done = time.monotonic(), batches
                batches = parts.next()
                ready = time.monotonic()
                agreed = self._agree(stop, batches, step)
                self._check(agreed.sums, step.gradient, done)
                if log is None:
                    continue
                self.average.update(self.network)
                report = step.report(agreed.sums, ready - worked, time.monotonic() - began)
                log.add(report)
                self._score(log, last=not agreed.proceed and not stop.requested)
                if time.monotonic() - saved >= 60.0 * config.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
        if log is not None:
            log.close()
            self.save()
        return self._progress >= 1.0

    def _agree(
        self, stop: StopRequest, following: Sequence[TrainingBatch], step: _Step | None = None
    ) -> _Agreed:
        """All that the processes tell each other, once a step: they wait for the slowest each time.

        Rank 0's clock and rank 0's signals count. ``following`` are the parts of the batch that comes next,
        ``step`` is what has just been done.
        """
        said = [self.clock.progress(), float(stop.requested)]
        names = list(following[0].counts)
        values = [
            *(said if self._fabric.is_global_zero else [0.0, 0.0]),
            *(sum(part.counts[name] for part in following) for name in names),
            *([] if step is None else step.sums),
        ]
        self._progress, stopped, *others = self._added(values)
        wholes = dict(zip(names, others, strict=False))
        return _Agreed(self._progress < 1.0 and not stopped, wholes, others[len(names) :])

    def _added(self, values: Sequence[float]) -> list[float]:
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

    def _step(self, batches: Sequence[TrainingBatch], wholes: Mapping[str, float]) -> _Step:
        """One step on this process's parts of a batch, whose counts over all processes are ``wholes``."""
        rate = self._begin_step()
        sums: dict[str, float] = {}
        for index, batch in enumerate(batches):
            # The share of this part in the mean over the whole batch; averaged gradients are divided by the
            # number of processes once more.
            shares = {name: batch.counts[name] / whole if whole else 0.0 for name, whole in wholes.items()}
            terms = self._backward(batch, shares, last=index == len(batches) - 1)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value * shares[name]
        gradient = self._fabric.clip_gradients(
            self._objective,
            self._optimizers[0],
            max_norm=self._training.clip_norm,
            error_if_nonfinite=False,
        )
        length = float(gradient) if gradient is not None else 0.0
        if math.isfinite(length) or self._config.precision == "fp16":
            for optimizer in self._optimizers:  # in fp16 the scaler leaves a step out that is not finite
                optimizer.step()
        self.clock.step += 1
        samples = sum(len(batch.names) for batch in batches)
        return _Step(list(sums), [*sums.values(), float(samples)], length, rate)

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
            batch = self._fabric.to_device(batch)
            advice = memory_advice(self._training.objective, batch, self._config.accumulate)
            raise UserError(f"step {self.clock.step}: {advice}") from error
        return {name: float(term.detach()) for name, term in terms.items()}

    def _check(self, sums: Sequence[float], gradient: float, batches: Sequence[TrainingBatch]) -> None:
        """UserError where a step was not finite: in every process, for all that is looked at is shared."""
        finite = all(map(math.isfinite, sums))
        if finite and (math.isfinite(gradient) or self._config.precision == "fp16"):
            return
        found = spoilers(self._training.objective, [self._fabric.to_device(batch) for batch in batches])
        if self._fabric.world_size > 1:
            everywhere: list[Any] = [None] * self._fabric.world_size
            torch.distributed.all_gather_object(everywhere, found)
            found = [name for names in everywhere for name in names]
        exists = (self._out / FILE_NAME).exists()
        raise UserError(
            f"the {'gradient' if finite else 'loss'} of step {self.clock.step - 1} is not finite, "
            + (f"of sample {', '.join(found)}" if found else "of no single sample by itself: lower the rate")
            + ("; the checkpoint before it stays" if exists else "; nothing was saved yet")
        )

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
