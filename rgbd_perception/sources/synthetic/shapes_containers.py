"""Boxes and trash cans."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic import mesh as m
from rgbd_perception.sources.synthetic.materials import Material, Texture
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


def box_closed(rng: Generator) -> Shape:
    """A cardboard box closed with tape."""
    b = ShapeBuilder()
    board = _cardboard(rng)
    w, d, h = rng.uniform(0.25, 0.55), rng.uniform(0.22, 0.42), rng.uniform(0.15, 0.4)
    b.box(board, (0, 0, h / 2), (w, d, h))
    tape = mat.plastic(rng, "beige")
    b.box(tape, (0, 0, h), (w + 0.002, 0.05, 0.003))
    for sx in (-1, 1):
        b.box(tape, (sx * w / 2, 0, h - 0.04), (0.003, 0.05, 0.08))
    if rng.random() < 0.6:
        b.box(mat.plastic(rng, "white"), (w * 0.15, d / 2, h * 0.6), (w * 0.3, 0.003, h * 0.3))
    b.support((0, 0, h), (w * 0.6, d * 0.6))
    return b.build(board)


def box_open(rng: Generator) -> Shape:
    """An open cardboard box with its flaps hanging out."""
    b = ShapeBuilder()
    board = _cardboard(rng)
    w, d, h = rng.uniform(0.28, 0.5), rng.uniform(0.25, 0.4), rng.uniform(0.18, 0.35)
    b.box(board, (0, 0, 0.004), (w, d, 0.008))
    for s in (-1, 1):
        b.box(board, (s * w / 2, 0, h / 2), (0.007, d, h))
        b.box(board, (0, s * d / 2, h / 2), (w, 0.007, h))
        angle = rng.uniform(0.3, 1.0)
        flap = d * 0.4
        b.box(
            board,
            (s * (w / 2 + flap / 2 * np.cos(angle)), 0, h - flap / 2 * np.sin(angle)),
            (flap, d * 0.97, 0.006),
            pitch=s * angle,
        )
        b.box(
            board,
            (0, s * (d / 2 + flap / 2 * np.cos(angle)), h - flap / 2 * np.sin(angle)),
            (w * 0.97, flap, 0.006),
            roll=-s * angle,
        )
    return b.build(board)


def box_storage(rng: Generator) -> Shape:
    """A storage box with a lid and handle holes, in colour."""
    b = ShapeBuilder()
    body = mat.plastic(rng) if rng.random() < 0.5 else mat.fabric(rng)
    w, d, h = rng.uniform(0.28, 0.45), rng.uniform(0.25, 0.35), rng.uniform(0.15, 0.3)
    b.box(body, (0, 0, h / 2), (w, d, h))
    b.box(body, (0, 0, h), (w + 0.02, d + 0.02, 0.035))
    hole = mat.plastic(rng, "black")
    for s in (-1, 1):
        b.box(hole, (s * w / 2, 0, h * 0.7), (0.006, 0.09, 0.03))
        b.box(hole, (0, s * d / 2, h * 0.7), (0.09, 0.006, 0.03))
    b.support((0, 0, h + 0.018), (w * 0.6, d * 0.6))
    return b.build(body)


def _cardboard(rng: Generator) -> Material:
    tone = float(rng.uniform(0.75, 1.15))
    base = (0.42 * tone, 0.27 * tone, 0.15 * tone)
    dark = (0.36 * tone, 0.22 * tone, 0.12 * tone)
    return mat.pattern(rng, Texture.BLOTCHES, base, dark, 0.05, name="paper")


def trash_round(rng: Generator) -> Shape:
    """An open round bin, wider at the top."""
    b = ShapeBuilder()
    body = mat.plastic(rng) if rng.random() < 0.5 else mat.metal(rng)
    r, h = rng.uniform(0.11, 0.17), rng.uniform(0.25, 0.45)
    low = rng.uniform(0.7, 0.95)
    b.lathe(
        body,
        [(0, 0), (r * low, 0), (r, h), (r * 0.96, h), (r * low * 0.94, 0.02), (0, 0.02)],
        segments=24,
        smooth=False,
    )
    b.lathe(
        body,
        [(r * 0.97, h - 0.015), (r * 1.06, h - 0.015), (r * 1.06, h + 0.005), (r * 0.97, h + 0.005)],
        segments=24,
        smooth=False,
    )
    if rng.random() < 0.6:
        liner = mat.plastic(rng, str(rng.choice(["white", "black", "blue"])))
        b.cushion(liner, (0, 0, h * 0.75), (r * 1.7, r * 1.7, h * 0.3), 0.8)
    return b.build(body)


def trash_pedal(rng: Generator) -> Shape:
    """A pedal bin: cylinder with a domed lid and a pedal."""
    b = ShapeBuilder()
    body = mat.metal(rng) if rng.random() < 0.6 else mat.plastic(rng)
    black = mat.plastic(rng, "black")
    r, h = rng.uniform(0.12, 0.18), rng.uniform(0.3, 0.6)
    b.cylinder(black, (0, 0, 0), r * 1.03, 0.03, segments=24)
    b.cylinder(body, (0, 0, 0.03), r, h, segments=24)
    b.cylinder(black, (0, 0, h + 0.03), r * 1.02, 0.015, segments=24)
    b.lathe(body, [(r, h + 0.045), (r * 0.85, h + 0.085), (r * 0.45, h + 0.105), (0, h + 0.11)], segments=24)
    b.box(black, (0, r + 0.03, 0.02), (0.07, 0.07, 0.015))
    return b.build(body)


def trash_swing(rng: Generator) -> Shape:
    """A square bin with a sloping swing lid."""
    b = ShapeBuilder()
    body = mat.plastic(rng)
    lid = body if rng.random() < 0.4 else mat.plastic(rng)
    w, h = rng.uniform(0.24, 0.36), rng.uniform(0.4, 0.6)
    r, top = w * 0.7, h + w * 0.35
    quarter = m.rotation_matrix(yaw=np.pi / 4)
    b.add(body, m.lathe([(0, 0), (r * 0.85, 0), (r, h), (0, h)], segments=4).moved((0, 0, 0), quarter))
    b.add(lid, m.lathe([(r * 1.04, h), (r * 0.45, top), (0, top)], segments=4).moved((0, 0, 0), quarter))
    slope = np.arctan2(top - h, 0.59 * r / np.sqrt(2))
    b.box(mat.plastic(rng, "black"), (0, r * 0.53, (h + top) / 2), (w * 0.5, w * 0.3, 0.01), roll=-slope)
    return b.build(body)
