"""Beds and pillows."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic import mesh as m
from rgbd_perception.sources.synthetic.materials import Material
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


def _bedding(b: ShapeBuilder, rng: Generator, w: float, length: float, z: float) -> Material:
    """Mattress on height ``z`` with a blanket; the head is at -y. Returns the blanket's material."""
    sheet = mat.fabric(rng, str(rng.choice(["white", "white", "beige", "blue", "gray"])), patterned=0.1)
    blanket = mat.fabric(rng, patterned=0.4)
    thick = rng.uniform(0.16, 0.24)
    b.cushion(sheet, (0, 0, z + thick / 2), (w - 0.02, length - 0.04, thick), 0.15)
    cover = rng.uniform(0.6, 0.78) * length
    ripple = 0.012
    u = np.linspace(-1, 1, 22)[None, :]
    v = np.linspace(0, 1, 16)[:, None]
    drop = np.clip((np.abs(u) - 0.86) / 0.14, 0, 1)
    x = np.sign(u) * (np.minimum(np.abs(u) / 0.86, 1.0) * (w / 2 + 0.015) + 0.01 * drop) + 0 * v
    y = length / 2 - cover * v + 0 * u
    top = z + thick + 0.02 + ripple * np.sin(9 * u + 5 * v + rng.uniform(0, 6)) * np.sin(7 * v + 3 * u)
    b.sheet(blanket, np.stack([x, y, top - drop * rng.uniform(0.1, 0.25)], axis=-1))
    b.cushion(blanket, (0, length / 2 - cover, z + thick + 0.015), (w, 0.22, 0.07), 0.4)
    b.box(blanket, (0, length / 2 + 0.01, z + thick * 0.5), (w, 0.02, thick + 0.06))
    pillow_w = min(0.7, w * 0.45) if w > 1.2 else w * 0.75
    b.support((0, -length / 2 + 0.3, z + thick), (w - pillow_w * 0.2, 0.45), kind="pillow")
    b.support((0, length * 0.12, z + thick + 0.04), (w * 0.6, length * 0.35), kind="blanket")
    return blanket


def _bed_size(rng: Generator) -> tuple[float, float]:
    return float(rng.choice([0.9, 1.2, 1.4, 1.6, 1.8])) + rng.uniform(-0.03, 0.05), rng.uniform(1.92, 2.08)


def bed_frame(rng: Generator) -> Shape:
    """Wooden or metal frame on legs with a board at the head and sometimes at the foot."""
    b = ShapeBuilder()
    frame = mat.wood(rng) if rng.random() < 0.75 else mat.painted(rng, str(rng.choice(["white", "black"])))
    w, length = _bed_size(rng)
    rail, head = rng.uniform(0.22, 0.32), rng.uniform(0.75, 1.1)
    for sx in (-1, 1):
        b.box(frame, (sx * (w / 2 + 0.015), 0, rail), (0.03, length, 0.16))
        for sy in (-1, 1):
            b.box(frame, (sx * (w / 2 - 0.03), sy * (length / 2 - 0.03), rail / 2), (0.06, 0.06, rail))
    b.box(frame, (0, length / 2 + 0.015, rail), (w + 0.06, 0.03, 0.16))
    if rng.random() < 0.5:
        b.box(frame, (0, -length / 2 - 0.015, head / 2 + 0.05), (w + 0.06, 0.04, head - 0.1))
    else:
        for x in np.linspace(-w / 2, w / 2, int(rng.integers(6, 11))):
            b.box(frame, (x, -length / 2 - 0.015, head / 2), (0.035, 0.03, head))
        b.box(frame, (0, -length / 2 - 0.015, head), (w + 0.08, 0.05, 0.07))
    if rng.random() < 0.3:
        b.box(frame, (0, length / 2 + 0.02, 0.35), (w + 0.06, 0.035, 0.5))
    _bedding(b, rng, w, length, rail - 0.02)
    return b.build(frame)


def bed_box_spring(rng: Generator) -> Shape:
    """Upholstered box spring with a padded headboard."""
    b = ShapeBuilder()
    cover = mat.leather(rng) if rng.random() < 0.25 else mat.fabric(rng, patterned=0.0)
    w, length = _bed_size(rng)
    base, head = rng.uniform(0.28, 0.38), rng.uniform(0.9, 1.25)
    b.box(cover, (0, 0, base / 2 + 0.03), (w, length, base - 0.06))
    b.box(mat.plastic(rng, "black"), (0, 0, 0.03), (w - 0.2, length - 0.2, 0.06))
    panels = int(rng.integers(1, 5))
    for i in range(panels):
        x = w * ((i + 0.5) / panels - 0.5)
        b.cushion(cover, (x, -length / 2 - 0.03, head / 2), (w / panels, 0.12, head), 0.15)
    _bedding(b, rng, w, length, base)
    return b.build(cover)


def bed_platform(rng: Generator) -> Shape:
    """Low platform or a bed with drawers, without a headboard."""
    b = ShapeBuilder()
    frame = mat.wood(rng)
    w, length = _bed_size(rng)
    base = rng.uniform(0.16, 0.34)
    b.box(frame, (0, 0, base / 2), (w + 0.1, length + 0.06, base))
    if base > 0.24:
        for sx in (-1, 1):
            for y in (-length / 4, length / 4):
                b.box(frame, (sx * (w / 2 + 0.055), y, base / 2), (0.02, length * 0.42, base - 0.06))
                b.box(mat.metal(rng, "gray"), (sx * (w / 2 + 0.07), y, base * 0.6), (0.02, 0.14, 0.02))
    _bedding(b, rng, w, length, base)
    return b.build(frame)


def _case(rng: Generator) -> Material:
    return mat.fabric(rng, patterned=0.35)


def pillow_square(rng: Generator) -> Shape:
    """A throw pillow that leans against something behind it."""
    b = ShapeBuilder()
    case = _case(rng)
    w, t = rng.uniform(0.36, 0.52), rng.uniform(0.1, 0.16)
    lean = rng.uniform(0.2, 0.5)
    b.add(case, _pillow(w, w, t, lean))
    return b.build(case)


def pillow_lying(rng: Generator) -> Shape:
    """A bed pillow lying flat."""
    b = ShapeBuilder()
    case = mat.fabric(
        rng, str(rng.choice(["white", "white", "gray", "blue", "beige", "pink"])), patterned=0.3
    )
    b.add(case, _pillow(rng.uniform(0.5, 0.72), rng.uniform(0.36, 0.5), rng.uniform(0.1, 0.17), np.pi / 2))
    return b.build(case)


def pillow_bolster(rng: Generator) -> Shape:
    """A cylindrical bolster."""
    b = ShapeBuilder()
    case = _case(rng)
    w, r = rng.uniform(0.4, 0.6), rng.uniform(0.08, 0.11)
    b.rod(case, (-w / 2, 0, r), (w / 2, 0, r), r)
    for s in (-1, 1):
        b.cushion(case, (s * w / 2, 0, r), (0.05, 2 * r, 2 * r), 0.9)
    return b.build(case)


def _pillow(w: float, h: float, thick: float, lean: float) -> m.Mesh:
    """Pillow standing on its edge, leaning back by ``lean`` radians; thin at the seam, full in the middle."""
    u = np.linspace(-1, 1, 15)[None, :]
    v = np.linspace(-1, 1, 15)[:, None]
    bulge = ((1 - u**4) * (1 - v**4)) ** 0.6
    pinch = 1 - 0.08 * (1 - u**2) * v**2 - 0.08 * (1 - v**2) * u**2
    faces = []
    for s in (-1.0, 1.0):
        points = np.stack([u * w / 2 * pinch * s, s * thick / 2 * bulge, v * h / 2 * pinch + 0 * u], axis=-1)
        faces.append(m.sheet(points))
    pillow = m.merge(faces).moved((0, 0, 0), m.rotation_matrix(roll=lean))
    return pillow.moved((0, 0, -float(pillow.vertices[:, 2].min())))
