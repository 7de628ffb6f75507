"""What hangs on walls and at windows: pictures, mirrors, curtains."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic import mesh as m
from rgbd_perception.sources.synthetic.materials import Material, Texture
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


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
