"""Plants, pictures, mirrors, curtains, rugs, vases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic import mesh as m
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
        tuple(map(float, base)),
        tuple(map(float, dark)),
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
    half = width / 2 * np.sin(np.pi * np.clip(t * 0.92 + 0.08, 0, 1)) ** 0.7
    b.sheet(
        green,
        np.stack(
            [spine - half[:, None] * side, spine + (0, 0, -0.1 * width), spine + half[:, None] * side], axis=1
        ),
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


def _artwork(rng: Generator) -> Material:
    return Material(
        Texture.PAINTING, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), specular=0.1, phase=rng.uniform(0, 50)
    )


def _picture_frame(rng: Generator) -> Material:
    return (
        mat.wood(rng)
        if rng.random() < 0.6
        else mat.plastic(rng, str(rng.choice(["black", "white", "yellow", "gray"])))
    )


def _framed(
    b: ShapeBuilder,
    rng: Generator,
    frame: Material,
    inside: Material,
    w: float,
    h: float,
    rim: float,
    mat_width: float = 0.0,
) -> None:
    """A framed rectangle standing on z = -h/2, its back at -y."""
    for s in (-1, 1):
        b.box(frame, (s * (w - rim) / 2, 0, 0), (rim, 0.03, h))
        b.box(frame, (0, 0, s * (h - rim) / 2), (w, 0.03, rim))
    if mat_width:
        b.box(mat.plastic(rng, "white"), (0, -0.006, 0), (w - rim, 0.015, h - rim))
    b.box(inside, (0, -0.004, 0), (w - rim - 2 * mat_width, 0.015, h - rim - 2 * mat_width))


def picture_framed(rng: Generator) -> Shape:
    """A framed picture, upright or wide, with or without a passe-partout."""
    b = ShapeBuilder()
    w, h = rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.6)
    frame = _picture_frame(rng)
    _framed(b, rng, frame, _artwork(rng), w, h, rng.uniform(0.02, 0.05), rng.choice([0.0, 0.05]))
    return b.build(frame)


def picture_canvas(rng: Generator) -> Shape:
    """A canvas without a frame."""
    b = ShapeBuilder()
    w, h = rng.uniform(0.4, 1.1), rng.uniform(0.35, 0.8)
    b.box(_artwork(rng), (0, 0, 0), (w, 0.035, h))
    return b.build(mat.fabric(rng, "white", 0), ())


def picture_standing(rng: Generator) -> Shape:
    """A photograph in a small frame that stands on furniture."""
    b = ShapeBuilder()
    frame = _picture_frame(rng)
    w, h = rng.uniform(0.13, 0.22), rng.uniform(0.15, 0.26)
    lean = 0.2
    up = np.array([0, -np.sin(lean), np.cos(lean)])
    b.box(frame, up * h / 2, (w, 0.015, h), roll=lean)
    b.box(mat.plastic(rng, "white"), up * h / 2 + (0, 0.008, 0.002), (w * 0.82, 0.003, h * 0.85), roll=lean)
    b.box(_artwork(rng), up * h / 2 + (0, 0.01, 0.002), (w * 0.65, 0.003, h * 0.7), roll=lean)
    b.rod(frame, (0, -h * 0.45, 0), up * h * 0.7, 0.006)
    return b.build(frame)


def _silver() -> Material:
    return Material(
        Texture.MIRROR, (0.85, 0.87, 0.88), (0.85, 0.87, 0.88), specular=0.0, sensor_drop=0.6, name="glass"
    )


def mirror_rectangular(rng: Generator) -> Shape:
    """A framed wall mirror."""
    b = ShapeBuilder()
    frame = mat.wood(rng) if rng.random() < 0.6 else mat.metal(rng)
    w, h = rng.uniform(0.4, 0.9), rng.uniform(0.55, 1.1)
    _framed(b, rng, frame, _silver(), w, h, rng.uniform(0.025, 0.06))
    return b.build(frame)


def mirror_round(rng: Generator) -> Shape:
    """A round or oval wall mirror."""
    b = ShapeBuilder()
    frame = mat.wood(rng) if rng.random() < 0.5 else mat.metal(rng)
    r, tall = rng.uniform(0.24, 0.4), float(rng.choice([1.0, 1.35]))
    b.add(frame, m.rod((0, -0.012, 0), (0, 0.012, 0), r + 0.03, segments=30).scaled((1, 1, tall)))
    b.add(_silver(), m.rod((0, 0.0, 0), (0, 0.014, 0), r, segments=30).scaled((1, 1, tall)))
    return b.build(frame)


def mirror_standing(rng: Generator) -> Shape:
    """A tall mirror that stands on the floor and leans back."""
    b = ShapeBuilder()
    frame = mat.wood(rng)
    w, h, lean = rng.uniform(0.42, 0.6), rng.uniform(1.45, 1.75), 0.1
    up = np.array([0, -np.sin(lean), np.cos(lean)])
    facing = np.array([0, np.cos(lean), np.sin(lean)])
    b.box(frame, up * h / 2, (w, 0.03, h), roll=lean)
    b.box(_silver(), up * h / 2 + facing * 0.016, (w - 0.09, 0.004, h - 0.09), roll=lean)
    for s in (-1, 1):
        b.rod(frame, (s * w * 0.4, -0.3, 0), up * h * 0.75 + (s * w * 0.4, 0, 0), 0.013)
    return b.build(frame)


def curtain_pair(rng: Generator, width: float = 1.4, height: float = 1.6) -> Shape:
    """Two drapes left and right of a window of this size; the origin is its middle, the wall at -y."""
    b = ShapeBuilder()
    cloth = mat.fabric(rng, patterned=0.35)
    part = width * rng.uniform(0.22, 0.4)
    for s in (-1, 1):
        _drape(b, rng, cloth, s * (width / 2 + 0.12 - part / 2), part, height)
    _rail(b, rng, width + 0.35, height)
    return b.build(cloth)


def curtain_single(rng: Generator, width: float = 1.4, height: float = 1.6) -> Shape:
    """One wide drape drawn to a side."""
    b = ShapeBuilder()
    cloth = mat.fabric(rng, patterned=0.35)
    part = width * rng.uniform(0.4, 0.65)
    _drape(b, rng, cloth, float(rng.choice([-1, 1])) * (width / 2 + 0.12 - part / 2), part, height)
    _rail(b, rng, width + 0.35, height)
    return b.build(cloth)


def curtain_roller(rng: Generator, width: float = 1.4, height: float = 1.6) -> Shape:
    """A short valance with tied-back drapes."""
    b = ShapeBuilder()
    cloth = mat.fabric(rng, patterned=0.3)
    _drape(b, rng, cloth, 0.0, width + 0.2, height, top=0.22)
    for s in (-1, 1):
        _drape(b, rng, cloth, s * (width / 2), width * 0.2, height)
    _rail(b, rng, width + 0.35, height)
    return b.build(cloth)


def _drape(
    b: ShapeBuilder, rng: Generator, cloth: Material, x: float, w: float, height: float, top: float = 1.0
) -> None:
    u = np.linspace(-1, 1, 41)[None, :]
    v = np.linspace(0, 1, 7)[:, None]
    folds = w * rng.uniform(20, 32)
    depth = 0.028 * (0.7 + 0.3 * v)
    y = 0.03 + depth * np.sin(u * folds + rng.uniform(0, 6) + 0.3 * v)
    z = height / 2 + 0.1 - v * (height + 0.22) * top
    b.sheet(cloth, np.stack([x + u * w / 2 + 0 * v, y, z + 0 * u], axis=-1))


def _rail(b: ShapeBuilder, rng: Generator, w: float, height: float) -> None:
    rod = mat.metal(rng) if rng.random() < 0.6 else mat.wood(rng)
    z = height / 2 + 0.11
    b.rod(rod, (-w / 2, 0.03, z), (w / 2, 0.03, z), 0.013)
    for s in (-1, 1):
        b.cushion(rod, (s * w / 2, 0.03, z), (0.05, 0.05, 0.05), 1.0)
        b.rod(rod, (s * w * 0.42, -0.03, z), (s * w * 0.42, 0.03, z), 0.008)


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
