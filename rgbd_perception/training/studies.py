"""The questions that the papers leave open: what happens when color or depth is missing, noisy or displaced.

Every study shows a network the same held-out views in ways that get worse step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

from rgbd_perception.training.corruptions import (
    Corruption,
    HoledDepth,
    NoisyDepth,
    ReplacedColor,
    ReplacedDepth,
    ShiftedDepth,
)

DIRECTIONS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}
"""Rows and columns of a shift by one pixel."""


@dataclass(frozen=True)
class Case:
    """One row of the table: how bad it is (``level``, or a word) in one of the curves (``series``)."""

    series: str
    level: float | str
    corruption: Corruption


@dataclass(frozen=True)
class Study:
    """``axis`` says what the levels are, with their unit; ``logarithmic`` how they are drawn."""

    name: str
    title: str
    axis: str
    cases: tuple[Case, ...]
    logarithmic: bool = False


_STUDIES = (
    Study(
        "modality-dropout",
        "One image of the pair replaced",
        "in place of the image",
        (
            *(Case("color", by, ReplacedColor(by)) for by in ("black", "mean", "noise")),
            *(Case("depth", by, ReplacedDepth(by)) for by in ("holes", "noise")),
        ),
    ),
    Study(
        "depth-noise",
        "Noise of the depth, growing with the square of the distance",
        "standard deviation at 1 m (mm)",
        tuple(Case("noise", mm, NoisyDepth(mm / 1000.0)) for mm in (1.5, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0)),
        logarithmic=True,
    ),
    Study(
        "misalignment",
        "Depth shifted against color",
        "shift (pixels of the view)",
        tuple(
            Case(direction, pixels, ShiftedDepth(pixels * rows, pixels * columns))
            for direction, (rows, columns) in DIRECTIONS.items()
            for pixels in (1, 2, 3)
        ),
    ),
    Study(
        "depth-holes",
        "Holes in the depth",
        "holes (percent of the image)",
        tuple(
            Case(series, percent, HoledDepth(percent / 100.0, size))
            for series, size in (("single pixels", 1), ("patches of 40 pixels", 40))
            for percent in (10, 25, 50, 75, 90)
        ),
    ),
)

STUDIES = {study.name: study for study in _STUDIES}
