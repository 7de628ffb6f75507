"""Things to sit on: chairs, stools, sofas."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


def _frame_material(rng: Generator) -> Material:
    kind = rng.random()
    if kind < 0.6:
        return mat.wood(rng)
    return mat.metal(rng) if kind < 0.8 else mat.plastic(rng)


def _legs(
    b: ShapeBuilder, material: Material, width: float, depth: float, height: float, rng: Generator
) -> None:
    """Four legs at the corners: square, round and tapered, or splayed."""
    style = rng.integers(3)
    thick = rng.uniform(0.014, 0.026)
    splay = 0.05 if style == 2 else 0.0
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = sx * (width / 2 - thick), sy * (depth / 2 - thick)
            if style == 0:
                b.box(material, (x, y, height / 2), (2 * thick, 2 * thick, height))
            else:
                b.rod(material, (x + sx * splay, y + sy * splay, 0), (x, y, height), thick * 0.7, 1.4)


def chair_with_legs(rng: Generator) -> Shape:
    """A dining chair: four legs and a back of slats, bars or a panel."""
    b = ShapeBuilder()
    frame = _frame_material(rng)
    seat = mat.fabric(rng) if rng.random() < 0.45 else (mat.leather(rng) if rng.random() < 0.2 else frame)
    w, d = rng.uniform(0.38, 0.48), rng.uniform(0.38, 0.46)
    h, back = rng.uniform(0.43, 0.48), rng.uniform(0.38, 0.58)
    _legs(b, frame, w, d, h - 0.03, rng)
    b.box(frame, (0, 0, h - 0.02), (w, d, 0.03))
    if seat is not frame:
        b.cushion(seat, (0, 0.01, h + 0.015), (w * 0.96, d * 0.96, 0.06), 0.3)
    lean = rng.uniform(0.04, 0.1)
    top = h + back
    rear = -d / 2 + 0.015
    for sx in (-1, 1):
        b.rod(frame, (sx * (w / 2 - 0.02), rear, h - 0.03), (sx * (w / 2 - 0.02), rear - lean, top), 0.017)
    style = rng.integers(4)
    if style == 0:
        for f in np.linspace(0.3, 1.0, int(rng.integers(2, 5))):
            b.box(frame, (0, rear - lean * f, h + back * f - 0.03), (w - 0.04, 0.018, 0.055))
    elif style == 1:
        b.box(frame, (0, rear - lean, top - 0.03), (w - 0.02, 0.025, 0.07))
        for x in np.linspace(-w / 2 + 0.07, w / 2 - 0.07, int(rng.integers(3, 6))):
            b.rod(frame, (x, rear, h), (x, rear - lean, top - 0.04), 0.009)
    elif style == 2:
        tilt = np.arctan2(lean, back)
        panel = (0, rear - lean * 0.65, h + back * 0.65)
        b.box(seat, panel, (w - 0.03, 0.03, back * 0.65), roll=tilt)
    else:
        b.cushion(
            seat,
            (0, rear - lean * 0.6, h + back * 0.6),
            (w, 0.07, back * 0.8),
            0.3,
            roll=np.arctan2(lean, back),
        )
    return b.build(seat if style > 1 else frame)


def chair_swivel(rng: Generator) -> Shape:
    """An office chair: star base with castors, gas spring, padded seat and back, often arm rests."""
    b = ShapeBuilder()
    cover = mat.fabric(rng, patterned=0.0) if rng.random() < 0.6 else mat.leather(rng)
    base = mat.plastic(rng, "black") if rng.random() < 0.6 else mat.metal(rng, "gray")
    wheel = mat.plastic(rng, "black")
    h, w, d = rng.uniform(0.43, 0.52), rng.uniform(0.46, 0.54), rng.uniform(0.45, 0.52)
    for angle in np.linspace(0, 2 * np.pi, 6)[:-1] + rng.uniform(0, 1):
        tip = np.array([0.3 * np.cos(angle), 0.3 * np.sin(angle), 0.075])
        b.rod(base, (0, 0, 0.11), tip, 0.026, 0.7)
        b.cushion(wheel, tip - (0, 0, 0.042), (0.055, 0.055, 0.06), 1.0)
    b.cylinder(base, (0, 0, 0.08), 0.028, h - 0.1)
    b.cushion(cover, (0, 0, h), (w, d, 0.1), 0.35)
    back = rng.uniform(0.42, 0.7)
    lean = rng.uniform(0.06, 0.16)
    b.rod(base, (0, -d / 2 + 0.06, h - 0.03), (0, -d / 2 - 0.05, h + 0.2), 0.024)
    b.cushion(cover, (0, -d / 2 - 0.02, h + 0.09 + back / 2), (w * 0.92, 0.09, back), 0.35, roll=lean)
    if rng.random() < 0.6:
        for sx in (-1, 1):
            x = sx * (w / 2 + 0.02)
            b.rod(base, (sx * w * 0.35, 0, h - 0.02), (x, 0, h + 0.02), 0.018)
            b.rod(base, (x, 0, h), (x, 0, h + 0.2), 0.018)
            b.cushion(wheel, (x, 0.02, h + 0.21), (0.07, 0.26, 0.035), 0.3)
    return b.build(cover)


def chair_armchair(rng: Generator) -> Shape:
    """An upholstered armchair."""
    return _upholstered(rng, 1)


def chair_shell(rng: Generator) -> Shape:
    """A moulded shell of plastic on thin legs."""
    b = ShapeBuilder()
    shell = mat.plastic(rng)
    leg = mat.wood(rng, "beige") if rng.random() < 0.5 else mat.metal(rng, "gray")
    w, h, back = rng.uniform(0.44, 0.52), rng.uniform(0.42, 0.46), rng.uniform(0.34, 0.44)
    s = np.linspace(0, 1, 12)[:, None]
    t = np.linspace(-1, 1, 9)[None, :]
    bend = np.clip((s - 0.45) / 0.55, 0, 1)
    x = t * w / 2 * (1 - 0.25 * bend**2)
    y = 0.22 - 0.42 * np.minimum(s / 0.5, 1.0) - 0.1 * bend + 0.0 * t
    z = h + back * bend**1.3 + 0.07 * t**2 * (0.5 + bend) - 0.015 * np.sin(np.pi * s)
    b.sheet(shell, np.stack([x, y + 0.09 * t**2 * bend, z], axis=-1))
    for sx in (-1, 1):
        for sy in (-1, 1):
            b.rod(leg, (sx * 0.22, sy * 0.21, 0), (sx * 0.1, sy * 0.1, h - 0.01), 0.011, 1.5)
    b.box(leg, (0, 0, h - 0.022), (0.2, 0.2, 0.015))
    return b.build(shell)


def stool_round(rng: Generator) -> Shape:
    """A round seat on three or four legs, low or as high as a bar."""
    b = ShapeBuilder()
    frame = _frame_material(rng)
    seat = frame if rng.random() < 0.5 else (mat.leather(rng) if rng.random() < 0.6 else mat.fabric(rng))
    h = rng.uniform(0.6, 0.75) if rng.random() < 0.5 else rng.uniform(0.4, 0.5)
    r = rng.uniform(0.15, 0.2)
    b.cylinder(frame, (0, 0, h - 0.035), r, 0.035, segments=22)
    if seat is not frame:
        b.cushion(seat, (0, 0, h + 0.01), (2 * r, 2 * r, 0.07), 0.75)
    legs = int(rng.integers(3, 5))
    ring = []
    for angle in np.arange(legs) * 2 * np.pi / legs + 0.4:
        c, s = np.cos(angle), np.sin(angle)
        b.rod(frame, (r * 1.05 * c, r * 1.05 * s, 0), (r * 0.7 * c, r * 0.7 * s, h - 0.02), 0.014, 1.2)
        ring.append((r * 0.95 * c, r * 0.95 * s, h * 0.3))
    b.tube(frame, [*ring, ring[0]], 0.009)
    return b.build(seat)


def stool_pedestal(rng: Generator) -> Shape:
    """A bar stool on one column with a round foot."""
    b = ShapeBuilder()
    steel = mat.metal(rng)
    seat = mat.leather(rng) if rng.random() < 0.6 else mat.plastic(rng)
    h, r = rng.uniform(0.45, 0.78), rng.uniform(0.16, 0.2)
    b.cylinder(steel, (0, 0, 0), r * 1.1, 0.02, segments=22)
    b.cylinder(steel, (0, 0, 0.02), 0.028, h - 0.06)
    b.cushion(seat, (0, 0, h), (2 * r, 2 * r, 0.1), 0.7)
    return b.build(seat)


def stool_square(rng: Generator) -> Shape:
    """A square step stool with a hand hole's worth of simplicity, or an upholstered pouf on legs."""
    b = ShapeBuilder()
    frame = mat.wood(rng)
    w, h = rng.uniform(0.32, 0.42), rng.uniform(0.38, 0.48)
    _legs(b, frame, w, w, h - 0.02, rng)
    for s in (-1, 1):
        b.box(frame, (0, s * (w / 2 - 0.02), h * 0.35), (w - 0.04, 0.02, 0.03))
    if rng.random() < 0.5:
        b.box(frame, (0, 0, h - 0.015), (w, w, 0.03))
        return b.build(frame)
    cover = mat.fabric(rng)
    b.cushion(cover, (0, 0, h), (w, w, 0.1), 0.25)
    return b.build(cover)


def sofa_one(rng: Generator) -> Shape:
    """A small sofa (love seat) for two."""
    return _upholstered(rng, 2)


def sofa_three(rng: Generator) -> Shape:
    """A sofa for three."""
    return _upholstered(rng, 3)


def sofa_corner(rng: Generator) -> Shape:
    """An L-shaped sofa with a chaise."""
    return _upholstered(rng, 3, chaise=True)


def _upholstered(rng: Generator, seats: int, chaise: bool = False) -> Shape:
    b = ShapeBuilder()
    cover = mat.leather(rng) if rng.random() < 0.3 else mat.fabric(rng, patterned=0.15)
    foot = mat.wood(rng) if rng.random() < 0.6 else mat.metal(rng)
    seat_w = rng.uniform(0.56, 0.7) if seats > 1 else rng.uniform(0.52, 0.62)
    arm = rng.uniform(0.1, 0.22)
    w = seats * seat_w + 2 * arm
    d, h, back = rng.uniform(0.76, 0.95), rng.uniform(0.38, 0.45), rng.uniform(0.34, 0.48)
    foot_h = rng.uniform(0.03, 0.14)
    exponent = rng.uniform(0.15, 0.4)
    for sx in (-1, 1):
        for sy in (-1, 1):
            b.rod(
                foot,
                (sx * (w / 2 - 0.08), sy * (d / 2 - 0.08), 0),
                (sx * (w / 2 - 0.1), sy * (d / 2 - 0.1), foot_h + 0.02),
                0.018,
                1.4,
            )
    base_h = h - 0.12
    b.box(cover, (0, 0, (foot_h + base_h) / 2), (w - 0.02, d - 0.03, base_h - foot_h))
    b.cushion(
        cover, (0, -d / 2 + 0.1, h + back / 2 - 0.12), (w - 0.03, 0.2, back + 0.24), exponent, roll=0.08
    )
    arm_h = h + rng.uniform(0.1, 0.22)
    for sx in (-1, 1):
        b.cushion(cover, (sx * (w - arm) / 2, 0, (foot_h + arm_h) / 2), (arm, d, arm_h - foot_h), exponent)
    for i in range(seats):
        x = (i - (seats - 1) / 2) * seat_w
        b.cushion(cover, (x, 0.06, h - 0.05), (seat_w * 0.99, d - 0.16, 0.18), 0.28)
        if back > 0.38:
            b.cushion(
                cover, (x, -d / 2 + 0.24, h + back * 0.45), (seat_w * 0.97, 0.17, back * 0.9), 0.4, roll=0.18
            )
    b.support((0, 0.05, h + 0.04), (w - 2 * arm - 0.1, d * 0.4), kind="seat")
    if chaise:
        side = float(rng.choice([-1, 1]))
        x = side * seat_w
        length = rng.uniform(0.55, 0.75)
        y = d / 2 + length / 2 - 0.05
        b.box(cover, (x, y, (foot_h + base_h) / 2), (seat_w + arm, length, base_h - foot_h))
        b.cushion(cover, (x, y - 0.02, h - 0.05), (seat_w + arm * 0.6, length + 0.1, 0.18), 0.25)
    return b.build(cover)
