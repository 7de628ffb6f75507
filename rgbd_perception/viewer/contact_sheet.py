"""Views of a data set side by side: color, depth, and labels over color, with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rgbd_perception.viewer.demo_picture import GREY, INK, PAPER
from rgbd_perception.viewer.depth_colors import colorize_depth
from rgbd_perception.viewer.masks import paint

TILE = (180, 240)
"""Height and width of one image."""
GAP = 8
CAPTION = 20
COLUMNS = 2
"""Views in a row."""
_OPACITY = 0.65


@dataclass(frozen=True)
class SheetView:
    """One view: color (H, W, 3) uint8 rgb, depth (H, W) metres or None, labels (H, W) with -1 for none."""

    name: str
    color: NDArray[np.uint8]
    depth: NDArray[np.float32] | None
    labels: NDArray[np.integer]


def draw_contact_sheet(
    views: Sequence[SheetView], names: Sequence[str], colors: NDArray[np.uint8], caption: str
) -> Image.Image:
    """The views, and the classes (``names`` (C), ``colors`` (C, 3) uint8 rgb) that are in any of them."""
    seen = {int(label) for view in views for label in np.unique(view.labels)}
    legend = [(names[label], colors[label]) for label in sorted(seen) if label >= 0]
    cell = (TILE[0] + CAPTION + GAP, 3 * TILE[1] + 4 * GAP)
    rows = -(-len(views) // COLUMNS)
    width = COLUMNS * cell[1]
    font = ImageFont.load_default(13)
    places = _legend_places([name for name, _ in legend], width, font)
    legend_top = 2 * CAPTION + rows * cell[0]
    height = legend_top + (places[-1][1] if places else 0) + CAPTION + GAP
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((GAP, GAP), caption, fill=INK, font=ImageFont.load_default(17))
    for number, view in enumerate(views):
        corner = (number % COLUMNS * cell[1] + GAP, 2 * CAPTION + number // COLUMNS * cell[0])
        draw.text(corner, view.name, fill=GREY, font=font)
        _draw_view(canvas, (corner[0], corner[1] + CAPTION), view, colors)
    for (name, color), (x, y) in zip(legend, places, strict=True):
        swatch = (x, legend_top + y + 2, x + 12, legend_top + y + 14)
        draw.rectangle(swatch, fill=tuple(int(value) for value in color))
        draw.text((x + 18, legend_top + y), name, fill=INK, font=font)
    return canvas


def _draw_view(
    canvas: Image.Image, corner: tuple[int, int], view: SheetView, colors: NDArray[np.uint8]
) -> None:
    depth = np.zeros_like(view.color) if view.depth is None else colorize_depth(view.depth)
    painted = paint(view.labels, colors)
    mixed = ((1 - _OPACITY) * view.color + _OPACITY * painted + 0.5).astype(np.uint8)
    for column, picture in enumerate((view.color, depth, mixed)):
        tile = Image.fromarray(picture)
        tile.thumbnail((TILE[1], TILE[0]), Image.Resampling.BOX)
        canvas.paste(tile, (corner[0] + column * (TILE[1] + GAP), corner[1]))


def _legend_places(
    names: Sequence[str], width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> list[tuple[int, int]]:
    """Where the swatches go, line after line."""
    places, x, y = [], GAP, 0
    for name in names:
        needed = 18 + int(font.getlength(name)) + 16
        if x + needed > width:
            x, y = GAP, y + CAPTION
        places.append((x, y))
        x += needed
    return places
