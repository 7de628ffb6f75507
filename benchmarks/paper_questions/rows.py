"""The questions, and the networks that are trained for them. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rgbd_perception.models.mit import MitConfig
from rgbd_perception.models.swin_v2_multi import SwinMultiConfig

TINY_MIT = MitConfig(
    widths=(16, 32, 64, 96), depths=(1, 1, 1, 1), heads=(1, 2, 4, 6), reductions=(4, 2, 1, 1)
)
TINY_SWIN = SwinMultiConfig(
    rgb_width=12,
    depth_width=4,
    depths=(1, 1, 2, 1),
    heads=(1, 2, 4, 8),
    window=5,
    mlp_ratio=3.0,
    drop_path=0.0,
    convolutions=True,
    geometry_offset=2.5 / 1.5,
)
DEPTH = {"depth_mean": 2.5, "depth_std": 1.5}
"""Metres; those of ``rgbd_mini``."""

DROPPED = 0.15
"""Share of the samples without depth, and of those without color, in the rows with modality dropout."""

Auxiliary = Literal["none", "classifier", "texts"]


@dataclass(frozen=True)
class Student:
    """A network like ``rgbd_mini``, distilled towards the texts of the objects.

    dimension   of the embeddings; below that of the texts they are projected on their principal axes
    auxiliary   besides the distillation: the contrast between the texts of the classes that ``rgbd_mini`` is
                trained with, or a classifier on the features, thrown away afterwards
    drop_depth  share of the training samples without depth; likewise ``drop_color``
    """

    dimension: int = 384
    auxiliary: Auxiliary = "texts"
    drop_depth: float = 0.0
    drop_color: float = 0.0


@dataclass(frozen=True)
class TwoStream:
    """One backbone for two streams, trained with DiffPixelFormer's losses; ``settings`` are the model's."""

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    drop_depth: float = 0.0
    drop_color: float = 0.0


Row = Student | TwoStream

ROWS: dict[str, Row] = {
    "student": Student(),
    "student distillation only": Student(auxiliary="none"),
    "student + classifier": Student(auxiliary="classifier"),
    "student color only": Student(drop_depth=1.0),
    "student depth only": Student(drop_color=1.0),
    "student 64": Student(dimension=64),
    "student + dropout": Student(drop_depth=DROPPED, drop_color=DROPPED),
    "student 128": Student(dimension=128),
    "student 256": Student(dimension=256),
    "fusion none": TwoStream("two_stream_mit_b0", {"fusion": "none"}),
    "fusion pixel-wise": TwoStream("two_stream_mit_b0", {"fusion": "pixel_wise"}),
    "fusion similarity": TwoStream("geminifusion_mit_b0"),
    "fusion difference (stacked)": TwoStream("diffpixelformer_mit_b0", {"mode": "stacked"}),
    "fusion factors (paper)": TwoStream("diffpixelformer_mit_b0", {"mode": "paper"}),
    "fusion released": TwoStream("diffpixelformer_mit_b0", {"mode": "released"}),
    "fusion factors (paper) + dropout": TwoStream(
        "diffpixelformer_mit_b0", {"mode": "paper"}, drop_depth=DROPPED, drop_color=DROPPED
    ),
}
"""Every training, in the order in which they are done."""


@dataclass(frozen=True)
class Line:
    """A line of a table: what it is called, the row of ``ROWS``, and its scores, one for each column."""

    label: str
    row: str
    scores: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A table of percents. The first line is what the others are compared with, by their first score."""

    name: str
    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


BOTH = "miou color_and_depth"
_INPUTS = (BOTH, "miou color_only", "miou depth_only")
_INPUT_NAMES = ("color and depth", "color only", "depth only")
_LABELS = (BOTH, "accuracy color_and_depth")
_FUSION = (*_LABELS, "mean_accuracy color_and_depth")
_STUDENT = (*_LABELS, "cosine")

QUESTIONS = (
    Question(
        "fusion",
        "What the parts of DiffPixelFormer's fusion bring",
        ("mean IoU", "pixel accuracy", "mean accuracy"),
        (
            Line("none", "fusion none", _FUSION),
            Line("pixel-wise", "fusion pixel-wise", _FUSION),
            Line("+ similarity (GeminiFusion)", "fusion similarity", _FUSION),
            Line("+ difference (`stacked`)", "fusion difference (stacked)", _FUSION),
            Line("+ learnable factors (`paper`)", "fusion factors (paper)", _FUSION),
            Line("as `released`", "fusion released", _FUSION),
        ),
    ),
    Question(
        "depth",
        "Depth or no depth",
        ("mean IoU", "pixel accuracy"),
        (
            Line("color and depth", "student", _LABELS),
            Line("color only", "student color only", ("miou color_only", "accuracy color_only")),
            Line("depth only", "student depth only", ("miou depth_only", "accuracy depth_only")),
        ),
    ),
    Question(
        "dimension",
        "Numbers in an embedding",
        ("mean IoU", "pixel accuracy"),
        (
            Line("384", "student", _LABELS),
            Line("256", "student 256", _LABELS),
            Line("128", "student 128", _LABELS),
            Line("64", "student 64", _LABELS),
        ),
    ),
    Question(
        "auxiliary",
        "A segmentation loss beside the distillation",
        ("mean IoU", "pixel accuracy", "cosine to the text x 100"),
        (
            Line("distillation only", "student distillation only", _STUDENT),
            Line("+ classifier, thrown away", "student + classifier", _STUDENT),
            Line("+ contrast of the class texts", "student", _STUDENT),
        ),
    ),
    Question(
        "missing",
        "An image missing: the student",
        _INPUT_NAMES,
        (
            Line("no dropout in training", "student", _INPUTS),
            Line("modality dropout in training", "student + dropout", _INPUTS),
        ),
    ),
    Question(
        "missing-fusion",
        "An image missing: DiffPixelFormer (`paper`)",
        _INPUT_NAMES,
        (
            Line("no dropout in training", "fusion factors (paper)", _INPUTS),
            Line("modality dropout in training", "fusion factors (paper) + dropout", _INPUTS),
        ),
    ),
)
