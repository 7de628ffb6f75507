"""The picture of a run: what the camera saw, what the network said, where the answers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rgbd_perception.viewer.masks import colorize, largest_classes, overlay
from rgbd_perception.viewer.top_view import TopView, draw_top_view
from rgbd_perception.vocabulary import Vocabulary

WIDTH, HEIGHT = 1920, 1080
MARGIN = 24
HEADER = 84
TILE = (292, 389)
"""Height and width of one camera image in the picture."""
INK, GREY, PAPER = (28, 30, 34), (110, 114, 120), (255, 255, 255)
MARKS = (
    (214, 40, 40),
    (0, 119, 182),
    (42, 157, 143),
    (244, 140, 6),
    (114, 9, 183),
    (84, 105, 30),
    (200, 62, 140),
)


class Answer(Protocol):
    """One ranked answer: metres, map frame, ``yaw`` in radians about z."""

    @property
    def score(self) -> float: ...
    @property
    def position(self) -> Sequence[float]: ...
    @property
    def size(self) -> Sequence[float]: ...
    @property
    def yaw(self) -> float: ...


class QueryResult(Protocol):
    """A text, its answers (best first) and, where there are none, why."""

    @property
    def text(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def answers(self) -> Sequence[Answer]: ...


@dataclass(frozen=True)
class Shot:
    """One moment: color (H, W, 3) uint8 rgb and its class ids (H, W)."""

    color: NDArray[np.uint8]
    labels: NDArray[np.integer]


def draw_demo_picture(
    shots: Sequence[Shot],
    vocabulary: Vocabulary,
    centers: NDArray[np.floating],
    colors: NDArray[np.uint8],
    voxel_size: float,
    results: Sequence[QueryResult],
    caption: str,
) -> Image.Image:
    """Compose color, masks and the top view with the answers into one 1920 x 1080 picture.

    shots: up to three are shown. centers (N, 3) metres, colors (N, 3) uint8 rgb: the voxels of the map.
    """
    canvas = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, 18), "rgbd_perception", fill=INK, font=_font(38))
    draw.text((MARGIN + 330, 32), caption, fill=GREY, font=_font(22))
    _draw_shots(canvas, draw, shots[:3], vocabulary)
    left = 2 * MARGIN + 2 * TILE[1] + 16
    legend_height = 40 * ((len(results) + 1) // 2) + 16
    view = draw_top_view(
        centers, colors, voxel_size, (HEIGHT - HEADER - legend_height - MARGIN, WIDTH - left - MARGIN)
    )
    canvas.paste(Image.fromarray(view.image), (left, HEADER))
    _draw_answers(draw, view, (left, HEADER), results)
    _draw_legend(draw, (left, HEADER + view.image.shape[0] + 16), WIDTH - left - MARGIN, results)
    return canvas


def _draw_shots(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, shots: Sequence[Shot], vocabulary: Vocabulary
) -> None:
    height, width = TILE
    for row, shot in enumerate(shots):
        top = HEADER + row * (height + 36)
        for column, picture in enumerate((shot.color, overlay(shot.color, shot.labels, vocabulary))):
            tile = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
            canvas.paste(tile, (MARGIN + column * (width + 16), top))
        _draw_classes(draw, (MARGIN, top + height + 6), 2 * width + 16, shot.labels, vocabulary)


def _draw_classes(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    width: int,
    labels: NDArray[np.integer],
    vocabulary: Vocabulary,
) -> None:
    """A swatch and a name for each of the largest classes, as many as fit on one line."""
    x, y = corner
    font = _font(17)
    for label in largest_classes(labels, vocabulary, count=12):
        name = vocabulary.names[label]
        needed = 24 + draw.textlength(name, font=font) + 14
        if x + needed > corner[0] + width:
            return
        swatch = tuple(int(value) for value in colorize(np.array([[label]]), vocabulary)[0, 0])
        draw.rectangle((x, y + 3, x + 16, y + 19), fill=swatch)
        draw.text((x + 22, y), name, fill=INK, font=font)
        x += int(needed)


def _draw_answers(
    draw: ImageDraw.ImageDraw, view: TopView, corner: tuple[int, int], results: Sequence[QueryResult]
) -> None:
    for number, result in enumerate(results, start=1):
        for rank, answer in enumerate(result.answers[:3]):
            color = _mark(number)
            outline = [
                (x + corner[0], y + corner[1])
                for x, y in view.box_outline(np.asarray(answer.position), np.asarray(answer.size), answer.yaw)
            ]
            draw.line([*outline, outline[0]], fill=color, width=5 if rank == 0 else 2)
            if rank == 0:
                column, row = view.pixel(answer.position[0], answer.position[1])
                _draw_badge(draw, (column + corner[0], row + corner[1]), str(number), color)


def _draw_legend(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, results: Sequence[QueryResult]
) -> None:
    for index, result in enumerate(results):
        x = corner[0] + (index % 2) * (width // 2)
        y = corner[1] + (index // 2) * 40
        found = bool(result.answers)
        _draw_badge(draw, (x + 16, y + 16), str(index + 1), _mark(index + 1) if found else GREY)
        verdict = f"score {result.answers[0].score:.2f}" if found else "nothing found"
        draw.text((x + 42, y + 3), f"“{result.text}”", fill=INK, font=_font(21))
        offset = draw.textlength(f"“{result.text}”", font=_font(21))
        draw.text((x + 54 + offset, y + 5), verdict, fill=GREY, font=_font(18))


def _draw_badge(
    draw: ImageDraw.ImageDraw, center: tuple[float, float], text: str, color: tuple[int, int, int]
) -> None:
    x, y = center
    draw.ellipse((x - 15, y - 15, x + 15, y + 15), fill=color, outline=PAPER, width=2)
    draw.text((x, y), text, fill=PAPER, font=_font(19), anchor="mm")


def _mark(number: int) -> tuple[int, int, int]:
    return MARKS[(number - 1) % len(MARKS)]


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
