"""Cabinets, bookshelves, wardrobes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


def _front(rng: Generator, body: Material) -> Material:
    return (
        body
        if rng.random() < 0.6
        else mat.painted(rng, str(rng.choice(["white", "gray", "blue", "green", "beige"])))
    )


def _fronts(
    b: ShapeBuilder,
    rng: Generator,
    material: Material,
    knob: Material,
    x: tuple[float, float],
    z: tuple[float, float],
    y: float,
    columns: int,
    rows: int,
    bar: bool,
) -> None:
    """A grid of door or drawer fronts with handles on the plane ``y``."""
    cell_w, cell_h = (x[1] - x[0]) / columns, (z[1] - z[0]) / rows
    inset = rng.random() < 0.35
    for column in range(columns):
        for row in range(rows):
            cx, cz = x[0] + cell_w * (column + 0.5), z[0] + cell_h * (row + 0.5)
            b.box(material, (cx, y + 0.009, cz), (cell_w - 0.012, 0.018, cell_h - 0.012))
            if inset and min(cell_w, cell_h) > 0.25:
                for s in (-1, 1):
                    b.box(
                        material, (cx + s * (cell_w / 2 - 0.04), y + 0.022, cz), (0.05, 0.012, cell_h - 0.03)
                    )
                    b.box(
                        material, (cx, y + 0.022, cz + s * (cell_h / 2 - 0.04)), (cell_w - 0.12, 0.012, 0.05)
                    )
            wide = cell_w > cell_h
            hx = 0.0 if wide else (cell_w / 2 - 0.05) * (1 if column % 2 == 0 and columns > 1 else -1)
            if bar:
                size = (
                    (min(0.16, cell_w * 0.5), 0.022, 0.014)
                    if wide
                    else (0.014, 0.022, min(0.2, cell_h * 0.4))
                )
                b.box(knob, (cx + hx, y + 0.034, cz), size)
            else:
                b.cushion(knob, (cx + hx, y + 0.034, cz), (0.034, 0.034, 0.034), 1.0)


def _knob(rng: Generator) -> Material:
    return mat.metal(rng, "gray") if rng.random() < 0.7 else mat.plastic(rng, "black")


def cabinet_sideboard(rng: Generator) -> Shape:
    """A low sideboard with doors or drawers on short legs."""
    b = ShapeBuilder()
    body = mat.wood(rng) if rng.random() < 0.7 else mat.painted(rng, str(rng.choice(["white", "gray"])))
    w, d, h = rng.uniform(0.9, 1.7), rng.uniform(0.38, 0.48), rng.uniform(0.6, 0.85)
    leg = rng.uniform(0.04, 0.18)
    b.box(body, (0, 0, (leg + h) / 2), (w, d - 0.03, h - leg))
    b.box(body, (0, 0, h), (w + 0.03, d, 0.024))
    for sx in (-1, 1):
        for sy in (-1, 1):
            b.rod(
                body,
                (sx * (w / 2 - 0.06), sy * (d / 2 - 0.06), 0),
                (sx * (w / 2 - 0.08), sy * (d / 2 - 0.08), leg),
                0.016,
                1.5,
            )
    _fronts(
        b,
        rng,
        _front(rng, body),
        _knob(rng),
        (-w / 2 + 0.02, w / 2 - 0.02),
        (leg + 0.02, h - 0.02),
        d / 2 - 0.015,
        int(rng.integers(2, 5)),
        int(rng.integers(1, 3)),
        rng.random() < 0.5,
    )
    b.support((0, 0, h + 0.012), (w - 0.15, d - 0.14))
    return b.build(body)


def cabinet_drawers(rng: Generator) -> Shape:
    """A chest of drawers or a bedside cabinet."""
    b = ShapeBuilder()
    body = mat.wood(rng) if rng.random() < 0.65 else mat.painted(rng)
    small = rng.random() < 0.4
    w, d = (
        (rng.uniform(0.38, 0.5), rng.uniform(0.34, 0.42))
        if small
        else (rng.uniform(0.6, 1.0), rng.uniform(0.4, 0.5))
    )
    h = rng.uniform(0.42, 0.6) if small else rng.uniform(0.75, 1.15)
    b.box(body, (0, 0, h / 2 + 0.02), (w, d - 0.02, h - 0.04))
    b.box(body, (0, 0, 0.02), (w - 0.06, d - 0.1, 0.04))
    b.box(body, (0, 0, h), (w + 0.02, d, 0.02))
    rows = int(rng.integers(1, 3)) if small else int(rng.integers(3, 6))
    _fronts(
        b,
        rng,
        _front(rng, body),
        _knob(rng),
        (-w / 2 + 0.01, w / 2 - 0.01),
        (0.05, h - 0.01),
        d / 2 - 0.01,
        1,
        rows,
        rng.random() < 0.5,
    )
    b.support((0, 0, h + 0.01), (w - 0.12, d - 0.12))
    return b.build(body)


def cabinet_tall(rng: Generator) -> Shape:
    """A tall cupboard with glass doors above and wooden doors below."""
    b = ShapeBuilder()
    body = mat.wood(rng)
    pane = mat.glass(rng)
    w, d, h = rng.uniform(0.7, 1.1), rng.uniform(0.36, 0.45), rng.uniform(1.4, 1.85)
    split = h * rng.uniform(0.4, 0.5)
    b.box(body, (0, 0, h / 2), (w, d - 0.04, h))
    b.box(body, (0, 0, h), (w + 0.05, d, 0.05))
    _fronts(b, rng, body, _knob(rng), (-w / 2 + 0.02, w / 2 - 0.02), (0.06, split), d / 2 - 0.02, 2, 1, True)
    for sx in (-1, 1):
        b.box(body, (sx * w / 4, d / 2 - 0.01, (split + h) / 2), (w / 2 - 0.03, 0.02, h - split - 0.08))
        b.box(pane, (sx * w / 4, d / 2 + 0.002, (split + h) / 2), (w / 2 - 0.13, 0.01, h - split - 0.2))
    return b.build(body)


def cabinet_kitchen(rng: Generator) -> Shape:
    """Kitchen base units with a worktop."""
    b = ShapeBuilder()
    front = (
        mat.painted(rng, str(rng.choice(["white", "gray", "beige", "blue", "green", "black"])))
        if rng.random() < 0.6
        else mat.wood(rng)
    )
    top = mat.stone(rng) if rng.random() < 0.5 else mat.wood(rng)
    w, d, h = rng.choice([0.6, 0.8, 1.2, 1.6]), 0.6, rng.uniform(0.86, 0.92)
    b.box(front, (0, -0.01, (h + 0.1) / 2 - 0.02), (w, d - 0.04, h - 0.14))
    b.box(mat.plastic(rng, "black"), (0, -0.04, 0.05), (w, d - 0.1, 0.1))
    b.box(top, (0, 0.005, h - 0.02), (w, d + 0.01, 0.04))
    rows = int(rng.integers(1, 4))
    _fronts(
        b,
        rng,
        front,
        _knob(rng),
        (-w / 2, w / 2),
        (0.11, h - 0.05),
        d / 2 - 0.03,
        max(1, round(w / 0.45)),
        rows,
        rng.random() < 0.7,
    )
    b.support((0, 0, h), (w - 0.1, d - 0.16), 0.5)
    return b.build(front)


def cabinet_wall(rng: Generator) -> Shape:
    """A cupboard that hangs on the wall."""
    b = ShapeBuilder()
    front = (
        mat.painted(rng, str(rng.choice(["white", "gray", "beige", "blue"])))
        if rng.random() < 0.6
        else mat.wood(rng)
    )
    w, d, h = rng.choice([0.6, 0.8, 1.2]), rng.uniform(0.3, 0.36), rng.uniform(0.5, 0.72)
    b.box(front, (0, 0, h / 2), (w, d - 0.02, h))
    _fronts(
        b,
        rng,
        front,
        _knob(rng),
        (-w / 2, w / 2),
        (0, h),
        d / 2 - 0.01,
        max(1, round(w / 0.42)),
        1,
        rng.random() < 0.6,
    )
    return b.build(front)


def bookshelf_tall(rng: Generator) -> Shape:
    """A bookcase with a back panel; each board carries books."""
    return _shelf(rng, rng.uniform(0.6, 1.1), rng.uniform(1.5, 2.0), back=True)


def bookshelf_low(rng: Generator) -> Shape:
    """A low shelf or a cube shelf with dividers."""
    return _shelf(rng, rng.uniform(0.8, 1.5), rng.uniform(0.72, 1.1), back=rng.random() < 0.6, dividers=2)


def bookshelf_open(rng: Generator) -> Shape:
    """An open rack of posts and boards."""
    return _shelf(rng, rng.uniform(0.7, 1.1), rng.uniform(1.3, 1.9), back=False)


def _shelf(rng: Generator, w: float, h: float, back: bool, dividers: int = 0) -> Shape:
    b = ShapeBuilder()
    body = (
        mat.wood(rng)
        if rng.random() < 0.75
        else mat.painted(rng, str(rng.choice(["white", "black", "gray"])))
    )
    d, t = rng.uniform(0.26, 0.36), 0.022
    posts = not back and dividers == 0
    side = mat.metal(rng, "black") if posts and rng.random() < 0.6 else body
    for sx in (-1, 1):
        if posts:
            for sy in (-1, 1):
                b.box(side, (sx * (w / 2 - 0.014), sy * (d / 2 - 0.014), h / 2), (0.028, 0.028, h))
        else:
            b.box(body, (sx * (w / 2 - t / 2), 0, h / 2), (t, d, h))
    for i in range(dividers):
        b.box(body, (w * ((i + 1) / (dividers + 1) - 0.5), 0, h / 2), (t, d - 0.01, h))
    if back:
        b.box(body, (0, -d / 2 + 0.006, h / 2), (w, 0.012, h))
    boards = max(3, round(h / rng.uniform(0.33, 0.42)) + 1)
    heights = np.linspace(0.06, h - t / 2, boards)
    gap = float(heights[1] - heights[0])
    columns = dividers + 1
    for i, z in enumerate(heights):
        b.box(body, (0, 0, z), (w - t, d - 0.005, t))
        if i == boards - 1:
            b.support((0, 0, float(z) + t / 2), (w - 0.12, d - 0.1), kind="top")
            continue
        for c in range(columns):
            cx = w * ((c + 0.5) / columns - 0.5)
            b.support(
                (cx, 0.0, float(z) + t / 2), (w / columns - 0.07, d - 0.05), gap - t - 0.02, kind="shelf"
            )
    return b.build(body)


def wardrobe_doors(rng: Generator) -> Shape:
    """Tall wardrobe with two to four hinged doors."""
    b = ShapeBuilder()
    body = (
        mat.wood(rng)
        if rng.random() < 0.65
        else mat.painted(rng, str(rng.choice(["white", "gray", "beige"])))
    )
    doors = int(rng.integers(2, 5))
    w, d, h = doors * rng.uniform(0.42, 0.52), rng.uniform(0.55, 0.65), rng.uniform(1.85, 2.15)
    b.box(body, (0, 0, h / 2), (w, d - 0.03, h))
    b.box(body, (0, 0, h), (w + 0.04, d, 0.05))
    drawers = rng.random() < 0.3
    low = 0.45 if drawers else 0.08
    front = _front(rng, body)
    _fronts(
        b,
        rng,
        front,
        _knob(rng),
        (-w / 2 + 0.01, w / 2 - 0.01),
        (low, h - 0.04),
        d / 2 - 0.015,
        doors,
        1,
        True,
    )
    if drawers:
        _fronts(
            b,
            rng,
            front,
            _knob(rng),
            (-w / 2 + 0.01, w / 2 - 0.01),
            (0.06, low),
            d / 2 - 0.015,
            max(1, doors // 2),
            1,
            True,
        )
    return b.build(body)


def wardrobe_sliding(rng: Generator) -> Shape:
    """Wardrobe with two sliding doors, one in front of the other."""
    b = ShapeBuilder()
    body = mat.wood(rng)
    first = mat.painted(rng, str(rng.choice(["white", "gray", "beige", "black"])))
    second = body if rng.random() < 0.5 else first
    w, d, h = rng.uniform(1.2, 2.0), rng.uniform(0.58, 0.66), rng.uniform(1.9, 2.2)
    b.box(body, (0, -0.03, h / 2), (w, d - 0.06, h))
    b.box(first, (-w / 4 + 0.02, d / 2 - 0.045, h / 2), (w / 2 + 0.03, 0.025, h - 0.08))
    b.box(second, (w / 4 - 0.02, d / 2 - 0.02, h / 2), (w / 2 + 0.03, 0.025, h - 0.08))
    grip = mat.metal(rng, "gray")
    for x in (-w / 2 + 0.08, 0.03):
        b.box(grip, (x, d / 2 - 0.004, h * 0.48), (0.02, 0.012, 0.5))
    for z in (0.02, h - 0.02):
        b.box(body, (0, d / 2 - 0.03, z), (w, 0.06, 0.04))
    return b.build(body)


def wardrobe_antique(rng: Generator) -> Shape:
    """Wardrobe with a cornice, feet and panelled doors."""
    b = ShapeBuilder()
    body = mat.wood(rng, str(rng.choice(["brown", "red", "beige"])))
    w, d, h = rng.uniform(1.0, 1.4), 0.6, rng.uniform(1.85, 2.1)
    b.box(body, (0, 0, h / 2 + 0.05), (w, d - 0.04, h - 0.1))
    b.box(body, (0, 0, h), (w + 0.12, d + 0.04, 0.06))
    b.box(body, (0, 0, h - 0.06), (w + 0.06, d, 0.06))
    for sx in (-1, 1):
        for sy in (-1, 1):
            b.cushion(body, (sx * (w / 2 - 0.07), sy * (d / 2 - 0.07), 0.06), (0.1, 0.1, 0.12), 1.0)
        x = sx * w / 4
        b.box(body, (x, d / 2 - 0.01, h / 2 + 0.02), (w / 2 - 0.03, 0.02, h - 0.26))
        for z in (h * 0.33, h * 0.68):
            b.box(body, (x, d / 2 + 0.006, z), (w / 2 - 0.16, 0.02, h * 0.26))
        b.cushion(mat.metal(rng, "yellow"), (sx * 0.05, d / 2 + 0.02, h * 0.5), (0.035, 0.035, 0.035), 1.0)
    return b.build(body)
