"""The configuration of ``rgbd_mini``'s training on rendered views: frozen dataclasses, read from YAML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rgbd_perception.errors import UserError
from rgbd_perception.training.batches import BatchConfig
from rgbd_perception.training.crops import CropConfig
from rgbd_perception.training.run_config import BudgetConfig, RunConfig
from rgbd_perception.training.schedule import Phase, RateConfig
from rgbd_perception.training.views_config import ViewsConfig
from rgbd_perception.training.yaml_config import build, read_values


@dataclass(frozen=True)
class LossConfig:
    """Weight, temperature and class balance of our contrastive term beside the distillation loss.

    ``balance`` 0 counts every pixel equally, 1 every class; class weights are clipped to 1/``max_weight`` and
    ``max_weight``.
    """

    contrast: float = 0.5
    temperature: float = 0.05
    balance: float = 0.5
    max_weight: float = 4.0


@dataclass(frozen=True)
class OptimizerConfig:
    """Muon for the inner matrices (AdamW where not ``muon``), AdamW for the rest; gradients are clipped.

    Norms and biases are not decayed.
    """

    muon: bool = True
    rate: RateConfig = field(default_factory=RateConfig)
    weight_decay: float = 0.02
    clip_norm: float = 2.0
    average_decay: float = 0.998


def _default_phases() -> tuple[Phase, ...]:
    return (
        Phase(0.0, 12, CropConfig((128, 160), (0.45, 0.9))),
        Phase(0.45, 10, CropConfig((160, 224), (0.6, 1.1))),
        Phase(0.75, 6, CropConfig((240, 320), (1.0, 1.3))),
    )


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """Everything that decides a training run, besides the folders."""

    model: str = "rgbd_mini"
    text_space: str = "all-MiniLM-L6-v2"
    processes: int = 2
    threads: int = 1
    branch_scale: float = 0.2
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    views: ViewsConfig = field(default_factory=ViewsConfig)
    batches: BatchConfig = field(default_factory=BatchConfig)
    phases: tuple[Phase, ...] = field(default_factory=_default_phases)
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_parts(self.processes * self.accumulate)

    def check_parts(self, parts: int) -> None:
        """UserError unless every part of a batch has two views, which batch normalisation needs."""
        smallest = min(phase.batch for phase in self.phases)
        if smallest < 2 * parts:
            raise UserError(
                f"phases: a batch of {smallest} in {parts} parts, by processes and accumulate: expected at "
                "least 2 views in each (batch normalisation), use larger batches or fewer parts"
            )


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a YAML file; what it leaves out keeps its default. UserError names what is wrong in it.

    ``overrides`` such as ``budget.minutes=5`` win over the file.
    """
    return build(TrainConfig, read_values(path, overrides), str(path))
