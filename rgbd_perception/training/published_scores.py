"""Our scores of a network beside what its authors print."""

from __future__ import annotations

from collections.abc import Mapping

from rgbd_perception.models.published import PUBLISHED
from rgbd_perception.training.datasets.views import DataSetInfo

_NAMES = {"nyuv2": "NYUv2", "sunrgbd": "SUN RGB-D", "scannet": "ScanNet", "deliver": "DeLiVER"}
_SPLITS = {"valid": "validation", "val": "validation"}


def data_name(info: DataSetInfo) -> str:
    """As the tables of ``models list`` call the split."""
    name, split = _NAMES.get(info.name, info.name), _SPLITS.get(info.split, info.split)
    return f"{name} {split}, {len(info.classes)} classes"


def published_scores(model: str, info: DataSetInfo) -> dict[str, float]:
    """Mean IoU in percent by way ("text", "visual means", "linear probe"), where there is a figure."""
    facts = PUBLISHED.get(model)
    if facts is None:
        return {}
    metric = "mIoU, "
    return {
        figure.metric.removeprefix(metric): figure.value
        for figure in facts.figures
        if figure.data == data_name(info) and figure.metric.startswith(metric)
    }


def score_table(ours: Mapping[str, float], published: Mapping[str, float], data: str) -> str:
    """Markdown: mean IoU in percent of each way, ``ours`` and the authors', and the difference."""
    lines = [f"| {data}: mean IoU in percent | here | published | difference |", "|---|---:|---:|---:|"]
    for way, score in ours.items():
        figure = published.get(way.partition(" (")[0])
        theirs = "" if figure is None else f"{figure:.2f}"
        difference = "" if figure is None else f"{score - figure:+.2f}"
        lines.append(f"| {way} | {score:.2f} | {theirs} | {difference} |")
    return "\n".join(lines)
