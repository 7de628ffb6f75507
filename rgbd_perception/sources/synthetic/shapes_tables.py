"""Tables and desks."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


def _top_material(rng: Generator) -> Material:
    kind = rng.random()
    if kind < 0.65:
        return mat.wood(rng)
    if kind < 0.78:
        return mat.painted(rng, "white")
    return mat.stone(rng) if kind < 0.88 else mat.glass(rng)


def _straight_legs(
    b: ShapeBuilder, material: Material, w: float, d: float, h: float, thick: float, splay: float = 0.0
) -> None:
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = sx * (w / 2 - thick - 0.02), sy * (d / 2 - thick - 0.02)
            if splay:
                b.rod(material, (x, y, 0), (x - sx * splay, y - sy * splay, h), thick * 0.6, 1.6)
            else:
                b.box(material, (x, y, h / 2), (thick * 1.8, thick * 1.8, h))


def table_dining(rng: Generator) -> Shape:
    """Rectangular, four legs and an apron."""
    b = ShapeBuilder()
    top = _top_material(rng)
    leg = (
        top
        if top.name == "wooden" and rng.random() < 0.7
        else (mat.wood(rng) if rng.random() < 0.5 else mat.metal(rng))
    )
    w, d, h = rng.uniform(1.0, 1.8), rng.uniform(0.7, 0.95), rng.uniform(0.71, 0.77)
    t = rng.uniform(0.025, 0.05)
    b.box(top, (0, 0, h - t / 2), (w, d, t))
    for s in (-1, 1):
        b.box(leg, (0, s * (d / 2 - 0.06), h - t - 0.04), (w - 0.14, 0.02, 0.08))
        b.box(leg, (s * (w / 2 - 0.06), 0, h - t - 0.04), (0.02, d - 0.14, 0.08))
    _straight_legs(b, leg, w, d, h - t, rng.uniform(0.025, 0.045), splay=rng.choice([0.0, 0.08]))
    b.support((0, 0, h), (w - 0.1, d - 0.1))
    return b.build(top)


def table_round(rng: Generator) -> Shape:
    """Round top on a central column, dining or bistro size."""
    b = ShapeBuilder()
    top = _top_material(rng)
    leg = mat.metal(rng) if rng.random() < 0.5 else mat.wood(rng)
    r, h = rng.uniform(0.35, 0.6), rng.uniform(0.71, 0.76)
    b.cylinder(top, (0, 0, h - 0.03), r, 0.03, segments=32)
    b.cylinder(leg, (0, 0, 0.02), 0.045, h - 0.05, top=1.0)
    if rng.random() < 0.5:
        b.cylinder(leg, (0, 0, 0), r * 0.6, 0.03, segments=24)
    else:
        for angle in np.arange(4) * np.pi / 2 + 0.3:
            b.rod(leg, (r * 0.7 * np.cos(angle), r * 0.7 * np.sin(angle), 0.02), (0, 0, 0.2), 0.025)
    b.support((0, 0, h), (r * 1.2, r * 1.2))
    return b.build(top)


def table_coffee(rng: Generator) -> Shape:
    """Low table in front of a sofa, often with a shelf below."""
    b = ShapeBuilder()
    top = _top_material(rng)
    leg = mat.metal(rng) if rng.random() < 0.4 else mat.wood(rng)
    w, d, h = rng.uniform(0.7, 1.2), rng.uniform(0.5, 0.7), rng.uniform(0.34, 0.48)
    if rng.random() < 0.3:
        r = d * 0.6
        b.cylinder(top, (0, 0, h - 0.03), r, 0.03, segments=30)
        for angle in np.arange(3) * 2 * np.pi / 3:
            c, s = np.cos(angle), np.sin(angle)
            b.rod(leg, (r * c, r * s, 0), (r * 0.6 * c, r * 0.6 * s, h - 0.03), 0.016, 1.3)
        b.support((0, 0, h), (r * 1.2, r * 1.2))
        return b.build(top)
    b.box(top, (0, 0, h - 0.02), (w, d, 0.04))
    _straight_legs(b, leg, w, d, h - 0.04, rng.uniform(0.018, 0.035))
    if rng.random() < 0.5:
        b.box(leg, (0, 0, 0.14), (w - 0.08, d - 0.08, 0.02))
    b.support((0, 0, h), (w - 0.1, d - 0.1))
    return b.build(top)


def table_side(rng: Generator) -> Shape:
    """Small side table."""
    b = ShapeBuilder()
    top = _top_material(rng)
    leg = mat.metal(rng) if rng.random() < 0.5 else mat.wood(rng)
    w, h = rng.uniform(0.38, 0.52), rng.uniform(0.42, 0.6)
    if rng.random() < 0.5:
        b.cylinder(top, (0, 0, h - 0.025), w / 2, 0.025, segments=26)
        for angle in np.arange(3) * 2 * np.pi / 3 + 0.2:
            c, s = np.cos(angle), np.sin(angle)
            b.rod(leg, (w * 0.5 * c, w * 0.5 * s, 0), (w * 0.3 * c, w * 0.3 * s, h - 0.02), 0.013, 1.3)
    else:
        b.box(top, (0, 0, h - 0.015), (w, w, 0.03))
        _straight_legs(b, leg, w, w, h - 0.03, 0.014)
    b.support((0, 0, h), (w * 0.65, w * 0.65))
    return b.build(top)


def desk_drawers(rng: Generator) -> Shape:
    """Writing desk with a block of drawers on one or both sides."""
    b = ShapeBuilder()
    body = mat.wood(rng) if rng.random() < 0.75 else mat.painted(rng, "white")
    knob = mat.metal(rng, "gray")
    w, d, h = rng.uniform(1.1, 1.6), rng.uniform(0.55, 0.75), rng.uniform(0.71, 0.76)
    b.box(body, (0, 0, h - 0.018), (w, d, 0.036))
    sides = (-1, 1) if rng.random() < 0.3 else (int(rng.choice([-1, 1])),)
    block = rng.uniform(0.34, 0.42)
    for side in (-1, 1):
        if side not in sides:
            b.box(body, (side * (w / 2 - 0.02), 0, (h - 0.036) / 2), (0.03, d - 0.04, h - 0.036))
            continue
        x = side * (w / 2 - block / 2 - 0.01)
        b.box(body, (x, -0.01, (h - 0.036) / 2 + 0.03), (block, d - 0.06, h - 0.1))
        rows = int(rng.integers(2, 5))
        each = (h - 0.14) / rows
        for row in range(rows):
            z = 0.09 + each * (row + 0.5)
            b.box(body, (x, d / 2 - 0.03, z), (block - 0.03, 0.03, each - 0.025))
            b.box(knob, (x, d / 2 - 0.005, z), (0.12, 0.02, 0.016))
    b.box(body, (0, -d / 2 + 0.05, h - 0.25), (w - 0.1, 0.018, 0.35))
    b.support((0, 0, h), (w - 0.12, d - 0.12))
    return b.build(body)


def desk_trestle(rng: Generator) -> Shape:
    """A board on A-shaped trestles or on a metal frame."""
    b = ShapeBuilder()
    top = mat.wood(rng) if rng.random() < 0.6 else mat.painted(rng, str(rng.choice(["white", "black"])))
    leg = mat.metal(rng) if rng.random() < 0.6 else mat.wood(rng)
    w, d, h = rng.uniform(1.1, 1.8), rng.uniform(0.6, 0.8), rng.uniform(0.71, 0.76)
    b.box(top, (0, 0, h - 0.015), (w, d, 0.03))
    frame = rng.random() < 0.5
    for sx in (-1, 1):
        x = sx * (w / 2 - 0.18)
        if frame:
            for sy in (-1, 1):
                b.box(leg, (x, sy * (d / 2 - 0.08), h / 2 - 0.02), (0.05, 0.05, h - 0.06))
            b.box(leg, (x, 0, 0.02), (0.05, d - 0.06, 0.04))
        else:
            for sy in (-1, 1):
                b.rod(leg, (x - 0.12, sy * d * 0.42, 0), (x, sy * d * 0.3, h - 0.03), 0.018)
                b.rod(leg, (x + 0.12, sy * d * 0.42, 0), (x, sy * d * 0.3, h - 0.03), 0.018)
            b.rod(leg, (x, -d * 0.36, h * 0.4), (x, d * 0.36, h * 0.4), 0.014)
    b.box(leg, (0, -d / 2 + 0.09, h - 0.12), (w - 0.36, 0.03, 0.05))
    b.support((0, 0, h), (w - 0.12, d - 0.12))
    return b.build(top)


def desk_hutch(rng: Generator) -> Shape:
    """Desk with a raised shelf along its back."""
    b = ShapeBuilder()
    body = mat.wood(rng)
    w, d, h = rng.uniform(1.0, 1.4), rng.uniform(0.6, 0.7), 0.74
    b.box(body, (0, 0, h - 0.018), (w, d, 0.036))
    for sx in (-1, 1):
        b.box(body, (sx * (w / 2 - 0.02), 0, (h - 0.036) / 2), (0.04, d - 0.02, h - 0.036))
    raise_h = rng.uniform(0.28, 0.45)
    for x in (-w / 2 + 0.02, 0, w / 2 - 0.02):
        b.box(body, (x, -d / 2 + 0.12, h + raise_h / 2), (0.025, 0.22, raise_h))
    b.box(body, (0, -d / 2 + 0.12, h + raise_h), (w, 0.24, 0.025))
    b.box(body, (0, -d / 2 + 0.015, h + raise_h / 2), (w, 0.015, raise_h))
    b.box(body, (0, -d / 2 + 0.05, h * 0.6), (w - 0.08, 0.018, 0.4))
    b.support((0, 0.1, h), (w - 0.15, d * 0.5))
    b.support((0, -d / 2 + 0.12, h + raise_h + 0.0125), (w - 0.2, 0.14))
    return b.build(body)
