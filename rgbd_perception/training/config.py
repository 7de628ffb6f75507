"""The training configuration: frozen dataclasses, read from YAML."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rgbd_perception.errors import UserError
from rgbd_perception.training.batches import BatchConfig
from rgbd_perception.training.crops import CropConfig
from rgbd_perception.training.schedule import Phase, RateConfig


@dataclass(frozen=True)
class SplitConfig:
    """Apartments of one split: seeds ``first_seed`` to ``first_seed + apartments - 1``."""

    first_seed: int
    apartments: int


@dataclass(frozen=True)
class ViewsConfig:
    """What is rendered. The seeds of the splits must not overlap; only evaluation sees those of ``test``."""

    size: tuple[int, int] = (240, 320)
    views_per_apartment: int = 12
    apartments_per_shard: int = 6
    descriptions: int = 3
    train: SplitConfig = SplitConfig(0, 600)
    validation: SplitConfig = SplitConfig(900_000, 12)
    test: SplitConfig = SplitConfig(1_000_000, 36)


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


@dataclass(frozen=True)
class BudgetConfig:
    """Length of the training: ``minutes`` of training time; exactly ``steps`` steps where that is not 0."""

    minutes: float = 85.0
    steps: int = 0


def _default_phases() -> tuple[Phase, ...]:
    return (
        Phase(0.0, 12, CropConfig((128, 160), (0.45, 0.9))),
        Phase(0.45, 10, CropConfig((160, 224), (0.6, 1.1))),
        Phase(0.75, 6, CropConfig((240, 320), (1.0, 1.3))),
    )


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run, besides the folders."""

    model: str = "rgbd_mini"
    text_space: str = "all-MiniLM-L6-v2"
    seed: int = 0
    processes: int = 2
    threads: int = 1
    checkpoint_minutes: float = 3.0
    branch_scale: float = 0.2
    budget: BudgetConfig = BudgetConfig()
    views: ViewsConfig = ViewsConfig()
    batches: BatchConfig = field(default_factory=BatchConfig)
    phases: tuple[Phase, ...] = field(default_factory=_default_phases)
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()

    def __post_init__(self) -> None:
        smallest = min(phase.batch for phase in self.phases)
        if smallest < 2 * self.processes:
            raise UserError(
                f"phases: a batch of {smallest} shared by {self.processes} processes: expected at least 2 "
                "views for each (batch normalisation), use larger batches or fewer processes"
            )


Config = TypeVar("Config")


def load_config(path: Path) -> TrainConfig:
    """Read a YAML file; what it leaves out keeps its default. UserError names what is wrong in it."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read the configuration {path}: {error}") from error
    return build(TrainConfig, values or {}, str(path))


def build(kind: type[Config], values: Any, where: str) -> Config:
    """``kind`` (a dataclass) from nested plain values; UserError for unknown names and wrong types."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected names and values, got {values!r}")
    hints = typing.get_type_hints(kind)
    names = [item.name for item in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(set(values) - set(names)):
        raise UserError(
            f"{where}: unknown {', '.join(map(str, unknown))}: expected some of {', '.join(names)}"
        )
    converted = {name: _convert(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    try:
        return kind(**converted)
    except TypeError as error:
        raise UserError(f"{where}: {error}") from error


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, where)
    if typing.get_origin(hint) is tuple:
        return _convert_tuple(typing.get_args(hint), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is hint:
        return value
    raise UserError(f"{where}: expected {getattr(hint, '__name__', hint)}, got {value!r}")


def _convert_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise UserError(f"{where}: expected a list, got {value!r}")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_convert(kinds[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if len(value) != len(kinds):
        raise UserError(f"{where}: expected {len(kinds)} values, got {value!r}")
    return tuple(_convert(kind, item, where) for kind, item in zip(kinds, value, strict=True))
