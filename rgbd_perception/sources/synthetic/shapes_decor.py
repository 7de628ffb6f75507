"""Plants, rugs, vases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material, Texture
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


def _pot(b: ShapeBuilder, rng: Generator, r: float, h: float) -> Material:
    pot = (
        mat.ceramic(rng)
        if rng.random() < 0.5
        else mat.plastic(rng, str(rng.choice(["orange", "white", "gray", "black", "brown"])))
    )
    low = rng.uniform(0.65, 0.95)
    b.lathe(
        pot,
        [(0, 0), (r * low, 0), (r, h), (r * 0.9, h), (r * 0.88, h * 0.85), (0, h * 0.85)],
        segments=20,
        smooth=False,
    )
    soil = Material(Texture.BLOTCHES, (0.05, 0.03, 0.02), (0.1, 0.07, 0.05), scale=0.02)
    b.cylinder(soil, (0, 0, h * 0.85), r * 0.88, 0.01)
    return pot


def _green(rng: Generator) -> Material:
    base = np.array([0.07, 0.24, 0.05]) * rng.uniform(0.6, 1.5) + rng.uniform(0, 0.06, 3) * (1, 0.6, 0.4)
    dark = base * rng.uniform(0.35, 0.6)
    return Material(
        Texture.LEAVES,
        mat.rgb(base),
        mat.rgb(dark),
        specular=0.12,
        gloss=20,
        name="",
        color_name="green",
        phase=rng.uniform(0, 9),
    )


def _leaf(
    b: ShapeBuilder,
    green: Material,
    foot: np.ndarray,
    angle: float,
    length: float,
    width: float,
    rise: float,
    droop: float,
) -> None:
    """One bent leaf from ``foot`` outwards in direction ``angle``."""
    t = np.linspace(0, 1, 6)
    out = np.array([np.cos(angle), np.sin(angle), 0.0])
    side = np.array([-np.sin(angle), np.cos(angle), 0.0])
    spine = (
        foot
        + np.outer(t * length * np.cos(rise), out)
        + np.outer(length * (np.sin(rise) * t - droop * t**2), [0, 0, 1.0])
    )
    groove = np.array([0.0, 0.0, 0.1 * width])
    half = width / 2 * np.sin(np.pi * np.clip(t * 0.92 + 0.08, 0, 1)) ** 0.7
    b.sheet(
        green,
        np.stack([spine - half[:, None] * side, spine - groove, spine + half[:, None] * side], axis=1),
    )


def plant_leafy(rng: Generator) -> Shape:
    """Arching long leaves from the pot."""
    b = ShapeBuilder()
    r = rng.uniform(0.07, 0.18)
    h = r * rng.uniform(1.4, 2.0)
    _pot(b, rng, r, h)
    green = _green(rng)
    size = r * rng.uniform(2.6, 4.2)
    for _ in range(int(rng.integers(14, 26))):
        _leaf(
            b,
            green,
            np.array([0, 0, h * 0.85]),
            rng.uniform(0, 2 * np.pi),
            size * rng.uniform(0.6, 1.0),
            size * rng.uniform(0.1, 0.22),
            rng.uniform(0.7, 1.5),
            rng.uniform(0.2, 0.7),
        )
    return b.build(green)


def plant_tree(rng: Generator) -> Shape:
    """A small tree: trunk and many oval leaves (rubber plant, fig)."""
    b = ShapeBuilder()
    r = rng.uniform(0.13, 0.19)
    h = r * rng.uniform(1.5, 2.0)
    _pot(b, rng, r, h)
    green = _green(rng)
    bark = mat.wood(rng, "brown")
    tall = rng.uniform(0.6, 1.2)
    for _ in range(int(rng.integers(1, 4))):
        lean = rng.uniform(-0.12, 0.12, 2)
        top = np.array([lean[0], lean[1], h + tall])
        b.rod(bark, (0, 0, h * 0.8), top, 0.014, 0.5)
        for _ in range(int(rng.integers(14, 24))):
            f = rng.uniform(0.25, 1.0)
            foot = np.array([lean[0] * f, lean[1] * f, h * 0.8 + (tall + 0.2 * h) * f])
            _leaf(
                b,
                green,
                foot,
                rng.uniform(0, 2 * np.pi),
                rng.uniform(0.15, 0.3),
                rng.uniform(0.07, 0.12),
                rng.uniform(0.1, 0.8),
                rng.uniform(0.1, 0.6),
            )
    return b.build(green)


def plant_bush(rng: Generator) -> Shape:
    """A round bush of small leaves."""
    b = ShapeBuilder()
    r = rng.uniform(0.06, 0.13)
    h = r * rng.uniform(1.2, 1.7)
    _pot(b, rng, r, h)
    green = _green(rng)
    size = r * rng.uniform(1.2, 1.8)
    b.cushion(green, (0, 0, h + size * 0.5), (1.3 * size, 1.3 * size, 1.2 * size), 0.9)
    for _ in range(45):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        foot = np.array([0, 0, h + size * 0.55]) + direction * (0.6, 0.6, 0.55) * size
        _leaf(
            b,
            green,
            foot,
            np.arctan2(direction[1], direction[0]),
            size * 0.5,
            size * 0.28,
            direction[2] + 0.2,
            0.3,
        )
    return b.build(green)


def plant_cactus(rng: Generator) -> Shape:
    """A cactus with arms, or upright sword-like leaves."""
    b = ShapeBuilder()
    r = rng.uniform(0.06, 0.12)
    h = r * 1.5
    _pot(b, rng, r, h)
    green = _green(rng)
    tall = r * rng.uniform(3, 6)
    if rng.random() < 0.5:
        b.cushion(green, (0, 0, h * 0.8 + tall / 2), (r * 0.9, r * 0.9, tall), 0.6)
        for s in (-1, 1):
            z = h + tall * rng.uniform(0.3, 0.5)
            b.rod(green, (0, 0, z), (s * r * 0.9, 0, z + 0.02), r * 0.2)
            b.cushion(green, (s * r * 0.9, 0, z + tall * 0.15), (r * 0.45, r * 0.45, tall * 0.35), 0.7)
    else:
        for _ in range(int(rng.integers(7, 13))):
            foot = np.array([*rng.uniform(-0.5, 0.5, 2) * r, h * 0.8])
            _leaf(
                b,
                green,
                foot,
                rng.uniform(0, 2 * np.pi),
                tall * rng.uniform(0.6, 1),
                r * 0.5,
                rng.uniform(1.3, 1.55),
                0.0,
            )
    return b.build(green)


def rug_rectangular(rng: Generator) -> Shape:
    """A patterned or plain rectangular rug."""
    b = ShapeBuilder()
    w, d = rng.uniform(1.0, 2.2), rng.uniform(0.7, 1.5)
    if rng.random() < 0.55:
        cloth = mat.pattern(rng, Texture.RUG, mat.pick_color(rng), mat.pick_color(rng), w / 2, "woven", 0.0)
        cloth = replace(cloth, extra=d / 2)
    else:
        cloth = mat.fabric(rng, patterned=0.5)
    b.box(cloth, (0, 0, 0.006), (w, d, 0.012))
    if rng.random() < 0.5:
        fringe = mat.fabric(rng, "beige", 0.0)
        for s in (-1, 1):
            for y in np.arange(-d / 2 + 0.02, d / 2, 0.04):
                b.box(fringe, (s * (w / 2 + 0.025), y, 0.003), (0.05, 0.015, 0.006))
    return b.build(cloth)


def rug_round(rng: Generator) -> Shape:
    """A round rug, sometimes with rings."""
    b = ShapeBuilder()
    r = rng.uniform(0.45, 1.0)
    first = mat.fabric(rng, patterned=0.0)
    b.cylinder(first, (0, 0, 0), r, 0.012, segments=40)
    if rng.random() < 0.6:
        second = mat.fabric(rng, patterned=0.0)
        for i, f in enumerate((0.8, 0.6, 0.4, 0.2)):
            b.cylinder(second if i % 2 == 0 else first, (0, 0, 0.012), r * f, 0.0006 * (i + 1), segments=40)
    return b.build(first)


def rug_mat(rng: Generator) -> Shape:
    """A small bath or door mat."""
    b = ShapeBuilder()
    cloth = mat.fabric(rng, patterned=0.5)
    b.cushion(cloth, (0, 0, 0.01), (rng.uniform(0.6, 0.9), rng.uniform(0.4, 0.6), 0.024), 0.12)
    return b.build(cloth)


def _vase_material(rng: Generator) -> Material:
    kind = rng.random()
    if kind < 0.6:
        return mat.ceramic(rng)
    if kind < 0.8:
        return mat.pattern(rng, Texture.STRIPES, mat.pick_color(rng), "white", 0.03, "ceramic", 0.4)
    return mat.glass(rng)


def _vase(rng: Generator, profile: list[tuple[float, float]], flowers: bool) -> Shape:
    b = ShapeBuilder()
    body = _vase_material(rng)
    b.lathe(body, profile, segments=22)
    r, h = profile[-1]
    b.cylinder(
        mat.Material(Texture.PLAIN, (0.03, 0.03, 0.03), (0.03, 0.03, 0.03)), (0, 0, h * 0.95), r * 0.65, 0.003
    )
    if flowers:
        petals, green = (
            mat.plastic(rng, mat.pick_color(rng, ("red", "yellow", "pink", "white", "purple", "orange"))),
            _green(rng),
        )
        for _ in range(int(rng.integers(5, 10))):
            tip = np.array([*rng.uniform(-0.11, 0.11, 2), h + rng.uniform(0.1, 0.22)])
            b.rod(green, (0, 0, h * 0.9), tip, 0.004)
            b.cushion(petals, tip, (0.05, 0.05, 0.04), 1.0)
    return b.build(body)


def vase_belly(rng: Generator) -> Shape:
    """A round belly with a narrow neck."""
    h, r = rng.uniform(0.18, 0.36), rng.uniform(0.06, 0.11)
    neck = r * rng.uniform(0.3, 0.5)
    return _vase(
        rng,
        [
            (0, 0),
            (r * 0.6, 0),
            (r, h * 0.35),
            (r * 0.85, h * 0.55),
            (neck, h * 0.78),
            (neck, h * 0.92),
            (neck * 1.4, h),
        ],
        rng.random() < 0.5,
    )


def vase_cylinder(rng: Generator) -> Shape:
    """A tall slim vase that widens to the top."""
    h, r = rng.uniform(0.2, 0.4), rng.uniform(0.04, 0.07)
    return _vase(rng, [(0, 0), (r * 0.8, 0), (r * 0.75, h * 0.3), (r, h)], rng.random() < 0.7)


def vase_amphora(rng: Generator) -> Shape:
    """An urn with two handles."""
    h, r = rng.uniform(0.22, 0.4), rng.uniform(0.07, 0.11)
    b = ShapeBuilder()
    body = _vase_material(rng)
    b.lathe(
        body,
        [
            (0, 0),
            (r * 0.5, 0),
            (r * 0.4, h * 0.08),
            (r, h * 0.5),
            (r * 0.9, h * 0.65),
            (r * 0.4, h * 0.8),
            (r * 0.45, h * 0.95),
            (r * 0.6, h),
        ],
        segments=22,
    )
    for s in (-1, 1):
        b.tube(
            body,
            [
                (s * r * 0.42, 0, h * 0.9),
                (s * r * 0.95, 0, h * 0.85),
                (s * r * 1.1, 0, h * 0.7),
                (s * r * 0.92, 0, h * 0.58),
            ],
            0.01,
        )
    b.cylinder(
        mat.Material(Texture.PLAIN, (0.03, 0.03, 0.03), (0.03, 0.03, 0.03)), (0, 0, h * 0.97), r * 0.5, 0.003
    )
    return b.build(body)
