"""Tables and plot of the runs: means over the seeds, their spread, differences between runs of equal seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper_questions.rows import QUESTIONS, Line, Question

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Runs = Sequence[Mapping[str, Any]]


def write_report(runs: Runs, folder: Path) -> None:
    """``tables.md`` and ``paper_questions.svg`` in ``folder``, of what is there so far."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tables.md").write_text(tables(runs), encoding="utf-8")
    draw(runs).savefig(folder / "paper_questions.svg")


def tables(runs: Runs) -> str:
    """A table for every question, in Markdown."""
    return "\n".join(_table(question, runs) for question in QUESTIONS)


def scores_by_seed(runs: Runs, row: str, score: str) -> dict[int, float]:
    """What the runs of a row scored, in percent, by seed."""
    return {run["seed"]: 100.0 * run["scores"][score] for run in runs if run["row"] == row}


def changes(runs: Runs, line: Line, first: Line) -> NDArray[np.float64]:
    """Points by which a line's first score is above that of ``first``, for each seed that both have."""
    own, other = (scores_by_seed(runs, each.row, each.scores[0]) for each in (line, first))
    return np.array([own[seed] - other[seed] for seed in sorted(own.keys() & other.keys())])


def beyond_spread(values: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the gap between two groups of scores is wider than either group, of at least two each."""
    if min(len(values), len(others)) < 2:
        return False
    gap = max(min(values) - max(others), min(others) - max(values))
    return gap > max(np.ptp(values), np.ptp(others))


def _table(question: Question, runs: Runs) -> str:
    first = question.lines[0]
    head = ["", "seeds", *question.columns, f"change of {question.columns[0]}"]
    lines = [f"### {question.title}", "", _cells(head), _cells(["---"] + ["---:"] * (len(head) - 1))]
    for line in question.lines:
        pairs = [
            [list(scores_by_seed(runs, each.row, each.scores[column]).values()) for each in (line, first)]
            for column in range(len(question.columns))
        ]
        change = "" if line is first else _signed(changes(runs, line, first))
        lines.append(_cells([line.label, str(len(pairs[0][0])), *(_score(*pair) for pair in pairs), change]))
    return "\n".join([*lines, ""])


def _cells(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _score(values: Sequence[float], first: Sequence[float]) -> str:
    """Mean, the smallest and the largest value; bold where they differ from ``first`` beyond the spread."""
    if not values:
        return "-"
    mark = "**" if beyond_spread(values, first) else ""
    return f"{mark}{np.mean(values):.1f}{mark} ({min(values):.1f} to {max(values):.1f})"


def _signed(values: NDArray[np.float64]) -> str:
    if not len(values):
        return "-"
    return f"{values.mean():+.1f} ({values.min():+.1f} to {values.max():+.1f})"


def draw(runs: Runs) -> Figure:
    """A panel for every question: a dot for each run, a line at the mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 7.0), layout="constrained")
    panels = figure.subplots(2, 3).flatten()
    for axes, question in zip(panels, QUESTIONS, strict=True):
        _panel(axes, question, runs)
    return figure


def _panel(axes: Axes, question: Question, runs: Runs) -> None:
    """The columns that are mean IoUs: all where they are kinds of input, else the first."""
    columns = question.columns if question.name.startswith("missing") else question.columns[:1]
    for index, column in enumerate(columns):
        color = f"C{index}"
        for place, line in enumerate(question.lines):
            values = list(scores_by_seed(runs, line.row, line.scores[index]).values())
            if not values:
                continue
            axes.plot([place] * len(values), values, "o", color=color, markersize=4, alpha=0.6)
            label = column if place == 0 and len(columns) > 1 else "_nolegend_"
            axes.hlines(np.mean(values), place - 0.3, place + 0.3, color=color, label=label)
    places = range(len(question.lines))
    labels = [line.label.replace("`", "").replace(", ", ",\n") for line in question.lines]
    axes.set_xticks(places, labels, rotation=30, ha="right", fontsize=7)
    axes.set_xlim(-0.5, len(question.lines) - 0.5)
    axes.set_ylim(bottom=0.0)
    axes.set_title(question.title.replace("`", ""), fontsize=8)
    axes.set_ylabel("mean IoU (percent)", fontsize=8)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    if len(columns) > 1:
        axes.legend(fontsize=7, frameon=False)
