"""The configuration of a training on labelled data sets: what config/train/ says of published networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.losses.semantic import Interpolation
from rgbd_perception.training.rates import Constant, OneCycle, Stages, WarmupPoly
from rgbd_perception.training.run_config import RunConfig
from rgbd_perception.training.view_augmentation import (
    DveformerAugmentation,
    GeminiAugmentation,
    RoomsAugmentation,
    TokenFusionAugmentation,
)
from rgbd_perception.training.yaml_config import build, read_values

Augmentations = (
    DveformerAugmentation | GeminiAugmentation | TokenFusionAugmentation | RoomsAugmentation | None
)
Schedules = Constant | OneCycle | Stages | WarmupPoly


@dataclass(frozen=True)
class DataSetConfig:
    """One data set below the folder of data (``--data``).

    folder      below it, or synthetic:SEED
    fraction    of its views in every epoch, drawn anew
    teacher     estimator whose embeddings of the segments are read, as `rgbd-perception teach` names it
    embeddings  folder that `teach` wrote them into, below the folder of data; "": that of the data set
    """

    folder: str = "."
    split: str = "train"
    layout: str = "auto"
    fraction: float = 1.0
    teacher: str = ""
    embeddings: str = ""
    options: ViewOptions = field(default_factory=ViewOptions)


@dataclass(frozen=True)
class ValidationConfig:
    """Judging the averaged weights by their mean IoU; those with the best one are kept.

    ``every`` epochs, from epoch ``first`` on, and at the end; ``views`` of the data set, evenly spread (0:
    all). ``short_side`` that images and labels are resized to, each side up to a multiple of 32 (0: as they
    are); ``input_size`` (H, W) that images alone are resized to. ``interpolation`` of the class scores to the
    labels.
    """

    data: DataSetConfig
    every: int = 5
    first: int = 0
    views: int = 0
    short_side: int = 480
    input_size: tuple[int, int] | None = None
    interpolation: Interpolation = "bilinear"


@dataclass(frozen=True)
class Adamw:
    """AdamW; ``decay`` is decoupled."""

    kind: ClassVar[str] = "adamw"
    rate: float = 6e-5
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.01


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent; ``decay`` is part of the gradient."""

    kind: ClassVar[str] = "sgd"
    rate: float = 0.03
    momentum: float = 0.9
    nesterov: bool = True
    decay: float = 1e-4


@dataclass(frozen=True)
class GroupConfig:
    """Parameters with a rate and a decay of their own; the first group that fits a parameter takes it.

    ``names`` is a regular expression that is searched in the parameter's name. ``rate`` and ``decay`` are
    factors of the optimizer's. Parameters of no group have factors of 1.
    """

    names: str = ""
    shape: Literal["any", "vectors", "matrices"] = "any"
    rate: float = 1.0
    decay: float = 1.0
    frozen: bool = False


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of the one classifier; with ``side_outputs`` also of those of an EMSANet decoder."""

    kind: ClassVar[str] = "cross_entropy"
    median_frequency: bool = False
    label_smoothing: float = 0.0
    side_outputs: bool = True


@dataclass(frozen=True)
class TwoHeads:
    """Cross-entropies of both streams and of their ensemble.

    hard_pixels   the hardest pixels only (OHEM), mined in each part of a batch
    token_scores  weight of the sum of all token scores of TokenFusion
    """

    kind: ClassVar[str] = "two_heads"
    hard_pixels: bool = False
    token_scores: float = 0.0


@dataclass(frozen=True)
class Multitask:
    """EMSAFormer: classes, centres and offsets of instances, orientations, the scene; their weights.

    ``side_outputs``: EMSANet decoders learn at strides 32, 16 and 8 too, where a cell counts like a pixel.
    """

    kind: ClassVar[str] = "multitask"
    semantic: float = 1.0
    scene: float = 0.25
    center: float = 4.0
    offset: float = 2.0
    orientation: float = 0.5
    median_frequency: bool = True
    side_outputs: bool = True


@dataclass(frozen=True)
class Distillation:
    """Towards the teacher's embeddings, from which ``diff_factor`` of the whole image's is taken away.

    cells  pixel of a cell that a network below full resolution is taught by: its upper left "corner", as
           published, or its "centre", where the interpolation of the output takes it to be (corners shift
           every edge by half a cell less half a pixel)
    """

    kind: ClassVar[str] = "distillation"
    distance: Literal["cosine", "mse", "l1"] = "cosine"
    diff_factor: float = 0.65
    cells: Literal["corner", "centre"] = "corner"


@dataclass(frozen=True)
class Recipe(RunConfig):
    """Everything that decides a training on labelled data sets, besides the folders.

    settings         fields of the network's configuration
    backbone         file with a backbone that was trained on ImageNet; "": random
    weights          file to start from, its tensors but those that ``weights_without`` (a regular expression)
                     finds; "": none
    reference_batch  the rate is for this batch, another one scales it; 0: never
    frozen_norms     batch norms use their stored statistics and never change them
    steps            instead of ``epochs``, where it is not 0
    """

    leaves_out: ClassVar[bool] = True

    model: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    backbone: str = ""
    weights: str = ""
    weights_without: str = ""
    data: tuple[DataSetConfig, ...] = (DataSetConfig(),)
    validation: ValidationConfig | None = None
    augmentation: Augmentations = None
    loss: CrossEntropy | TwoHeads | Multitask | Distillation = field(default_factory=CrossEntropy)
    optimizer: Adamw | Sgd = field(default_factory=Adamw)
    groups: tuple[GroupConfig, ...] = ()
    schedule: Schedules = field(default_factory=Constant)
    batch: int = 8
    reference_batch: int = 0
    epochs: int = 100
    steps: int = 0
    clip_norm: float = 0.0
    frozen_norms: bool = False
    average_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise UserError("model: expected the name of a network, as in rgbd-perception models list")
        self.check_parts(self.processes * self.accumulate)

    def check_parts(self, parts: int) -> None:
        """UserError unless a batch can be cut into so many equal parts."""
        if self.batch < parts or self.batch % parts:
            raise UserError(
                f"batch: {self.batch} samples cannot be cut into {parts} equal parts, by processes and "
                "accumulate"
            )

    @property
    def rate(self) -> float:
        """The learning rate's peak."""
        scale = self.batch / self.reference_batch if self.reference_batch else 1.0
        return self.optimizer.rate * scale


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a YAML file; ``overrides`` such as ``batch=4`` win. UserError names what is wrong in it."""
    return build(Recipe, read_values(path, overrides), str(path))


def is_recipe(path: Path) -> bool:
    """Whether the file is for labelled data sets, not for the rendered views of ``rgbd_mini``."""
    return "data" in read_values(path)
