"""How a training runs, whatever is trained: machine, precision, length, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from rgbd_perception.errors import UserError


@dataclass(frozen=True)
class BudgetConfig:
    """Length of the training: ``minutes`` of training time; exactly ``steps`` steps where that is not 0."""

    minutes: float = 85.0
    steps: int = 0


@dataclass(frozen=True)
class RunConfig:
    """The part of a configuration that every training has.

    processes           on this machine, each with ``threads`` threads (0: as many as there are cores); they
                        share every batch. torchrun, where it started us, has its own say
    accumulate          parts in which a process works its share of a batch off, one after the other: less
                        memory, the same gradient (but for batch normalisation, which sees one part)
    loaders             threads that make batches ahead
    precision           bf16, fp16: of the matrix products; weights and their average stay in 32 bits
    log_seconds         between two lines of the log; 0: every step
    tensorboard         write curves for TensorBoard beside the log

    ``leaves_out``: whether the network may have parameters that a step does not use, which several processes
    then look for.
    """

    leaves_out: ClassVar[bool] = False

    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    processes: int = 1
    threads: int = 0
    loaders: int = 1
    accumulate: int = 1
    checkpoint_minutes: float = 3.0
    log_seconds: float = 10.0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name, least in (("processes", 1), ("threads", 0), ("loaders", 1), ("accumulate", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name}: expected at least {least}, got {getattr(self, name)}")
