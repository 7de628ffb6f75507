"""The picture of a study: mean IoU over how bad it gets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.errors import UserError
from rgbd_perception.training.studies import STUDIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def check_plot_file(path: Path) -> None:
    """Raise UserError where a plot cannot be drawn to ``path``: before hours of work, not after."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"expected a plot file that ends with {', '.join(FORMATS)}, got {path}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UserError(
            "--plot needs matplotlib: install it with pip install 'rgbd_perception[plots]'"
        ) from error


def write_study_plot(path: Path, result: dict[str, Any]) -> None:
    """Draw the ``result`` of ``run_study``; the file's ending says the format. Raises UserError."""
    figure = draw_study(result)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise UserError(f"cannot write the plot {path}: {error.strerror or error}") from error


def draw_study(result: dict[str, Any]) -> Figure:
    """Curves where the levels are numbers, bars where they are words; the unchanged views dashed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    clean = 100.0 * result["clean"]["mean_iou"]
    axes.axhline(clean, color="0.4", linestyle="--", linewidth=1.0, label=f"unchanged: {clean:.1f}")
    cases: dict[str, list[tuple[Any, float]]] = {}
    for case in result["cases"]:
        cases.setdefault(case["series"], []).append((case["level"], 100.0 * case["mean_iou"]))
    if any(isinstance(case["level"], str) for case in result["cases"]):
        _draw_bars(axes, cases)
    else:
        _draw_curves(axes, cases, STUDIES[result["study"]].logarithmic)
    axes.set_ylim(0.0, max(5.0, 1.15 * clean))
    axes.set_ylabel(f"mean IoU (percent), {result['views']} views")
    axes.set_xlabel(result["axis"])
    axes.set_title(STUDIES[result["study"]].title)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return figure


def _draw_bars(axes: Axes, cases: dict[str, list[tuple[Any, float]]]) -> None:
    start = 0
    ticks: dict[int, str] = {}
    for series, points in cases.items():
        places = range(start, start + len(points))
        bars = axes.bar(places, [score for _, score in points], width=0.7, label=series)
        axes.bar_label(bars, fmt="%.1f")
        ticks.update(zip(places, (level for level, _ in points), strict=True))
        start += len(points) + 1  # a gap between the series
    axes.set_xticks(list(ticks), list(ticks.values()))


def _draw_curves(axes: Axes, cases: dict[str, list[tuple[Any, float]]], logarithmic: bool) -> None:
    if logarithmic:
        axes.set_xscale("log")
    for (series, points), marker in zip(cases.items(), "osD^v", strict=False):
        levels, scores = zip(*points, strict=True)
        axes.plot(levels, scores, marker=marker, markersize=4, label=series)
        axes.set_xticks(levels, [f"{level:g}" for level in levels])
    axes.minorticks_off()
