"""What the colours of masks mean, as a table for programs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.viewer.masks import UNKNOWN_COLOR
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary

COLUMNS = ("id", "name", "color", "pixels")


def hex_color(color: NDArray[np.uint8] | tuple[int, int, int]) -> str:
    """Rgb as ``#rrggbb``."""
    return "#" + "".join(f"{int(value):02x}" for value in color)


def write_legend(path: Path, labels: NDArray[np.integer], vocabulary: Vocabulary) -> None:
    """Write a CSV file with one line for every class, and one for unknown pixels where there are any."""
    pixels = np.bincount(labels.astype(np.intp).ravel(), minlength=len(vocabulary))
    rows = [
        (label, name, hex_color(vocabulary.colors[label]), pixels[label])
        for label, name in enumerate(vocabulary.names)
    ]
    if len(pixels) > UNKNOWN_LABEL:
        rows.append((UNKNOWN_LABEL, "unknown", hex_color(UNKNOWN_COLOR), pixels[UNKNOWN_LABEL]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
