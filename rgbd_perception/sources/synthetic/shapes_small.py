"""Books, mugs, bowls, backpacks, teddy bears."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material, Texture
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder

_PAPER = Material(Texture.STRIPES, (0.75, 0.72, 0.62), (0.6, 0.57, 0.48), scale=0.002)


def _volume(
    b: ShapeBuilder,
    rng: Generator,
    center: tuple[float, float, float],
    size: tuple[float, float, float],
    **turn: float,
) -> Material:
    """One closed book: a cover around pages. ``size`` is thickness, width, height of a book that stands."""
    cover = mat.plastic(rng)
    t, w, h = size
    b.box(cover, center, (t, w, h), **turn)
    return cover


def book_row(rng: Generator, width: float = 0.4, depth: float = 0.24, height: float = 0.3) -> Shape:
    """Books side by side on a shelf, some leaning."""
    b = ShapeBuilder()
    x = -width / 2
    cover = mat.plastic(rng)
    while True:
        t, h = rng.uniform(0.015, 0.045), height * rng.uniform(0.6, 0.95)
        w = min(depth * 0.95, rng.uniform(0.13, 0.2))
        if x + t > width / 2:
            break
        front = depth / 2 - w / 2 - 0.02
        cover = _volume(b, rng, (x + t / 2, front, h / 2), (t * 0.94, w, h))
        band = mat.plastic(rng, str(rng.choice(["white", "yellow", "black"])))
        b.box(band, (x + t / 2, front + w / 2, h * 0.75), (t * 0.7, 0.002, h * 0.15))
        b.box(_PAPER, (x + t / 2, front, h), (t * 0.7, w * 0.9, 0.002))
        x += t
    return b.build(cover)


def book_stack(rng: Generator) -> Shape:
    """Two to five books lying on each other."""
    b = ShapeBuilder()
    z = 0.0
    cover = mat.plastic(rng)
    for _ in range(int(rng.integers(2, 6))):
        t, w, h = rng.uniform(0.018, 0.05), rng.uniform(0.14, 0.2), rng.uniform(0.2, 0.28)
        yaw = rng.uniform(-0.25, 0.25)
        cover = mat.plastic(rng)
        b.box(cover, (0, 0, z + 0.0015), (w, h, 0.003), yaw=yaw)
        b.box(_PAPER, (0, 0, z + t / 2), (w * 0.95, h * 0.96, t - 0.006), yaw=yaw)
        b.box(cover, (0, 0, z + t - 0.0015), (w, h, 0.003), yaw=yaw)
        spine = np.array([-np.cos(yaw), -np.sin(yaw)]) * w / 2
        b.box(cover, (spine[0], spine[1], z + t / 2), (0.004, h, t), yaw=yaw)
        z += t
    return b.build(cover)


def book_single(rng: Generator) -> Shape:
    """One thick book lying flat."""
    b = ShapeBuilder()
    cover = mat.plastic(rng)
    t, w, h = rng.uniform(0.025, 0.06), rng.uniform(0.14, 0.22), rng.uniform(0.2, 0.3)
    b.box(cover, (0, 0, 0.002), (w, h, 0.004))
    b.box(_PAPER, (0.002, 0, t / 2), (w * 0.95, h * 0.96, t - 0.007))
    b.box(cover, (0, 0, t - 0.002), (w, h, 0.004))
    b.box(cover, (-w / 2, 0, t / 2), (0.005, h, t))
    b.box(mat.plastic(rng), (0, h * 0.2, t), (w * 0.7, h * 0.15, 0.001))
    b.box(_artwork(rng), (0, -h * 0.15, t), (w * 0.6, h * 0.4, 0.001))
    return b.build(cover)


def _artwork(rng: Generator) -> Material:
    return Material(Texture.PAINTING, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), phase=rng.uniform(0, 50))


def book_open(rng: Generator) -> Shape:
    """An open book with printed pages."""
    b = ShapeBuilder()
    cover = mat.plastic(rng)
    text = mat.pattern(rng, Texture.STRIPES, (0.8, 0.78, 0.7), (0.25, 0.25, 0.25), 0.012, contrast=0.6)
    w, h = rng.uniform(0.14, 0.2), rng.uniform(0.2, 0.28)
    b.box(cover, (0, 0, 0.002), (2 * w + 0.02, h + 0.01, 0.004))
    u = np.linspace(0, 1, 8)[None, :]
    v = np.linspace(-1, 1, 2)[:, None]
    for s in (-1, 1):
        z = 0.006 + 0.03 * np.sin(np.pi * np.clip(u, 0, 1) ** 0.6) * (1 - 0.6 * u) + 0 * v
        b.sheet(text, np.stack([s * u * w + 0 * v, v * h / 2 + 0 * u, z], axis=-1))
    return b.build(cover)


def _mug_material(rng: Generator) -> Material:
    if rng.random() < 0.3:
        texture = Texture(rng.choice([Texture.STRIPES, Texture.DOTS, Texture.CHECKER]))
        return mat.pattern(rng, texture, mat.pick_color(rng), mat.pick_color(rng), 0.025, "ceramic", 0.5)
    return mat.ceramic(rng, mat.pick_color(rng))


def _cup(rng: Generator, profile: list[tuple[float, float]], handle: float, saucer: bool) -> Shape:
    b = ShapeBuilder()
    body = _mug_material(rng)
    lift = 0.012 if saucer else 0.0
    r, h = profile[-1]
    inside = [(r * 0.93, h), (r * 0.85, h * 0.6), (0, h * 0.55)]
    b.lathe(body, [(0, 0), *profile, *inside], (0, 0, lift), segments=22)
    drink = Material(Texture.PLAIN, (0.08, 0.035, 0.015), (0.08, 0.035, 0.015), specular=0.4, gloss=60)
    b.cylinder(drink, (0, 0, lift + h * 0.78), r * 0.86, 0.002, segments=20)
    a = np.linspace(-np.pi / 2, np.pi / 2, 8)
    ring = [(r * 0.92 + handle * np.cos(t), 0.0, lift + h * 0.5 + h * 0.32 * np.sin(t)) for t in a]
    b.tube(body, ring, 0.007)
    if saucer:
        b.lathe(
            body,
            [(0, 0.004), (0.045, 0.0), (0.075, 0.012), (0.072, 0.016), (0.04, 0.008), (0, 0.008)],
            segments=22,
        )
    return b.build(body)


def mug_straight(rng: Generator) -> Shape:
    """A straight coffee mug."""
    r, h = rng.uniform(0.038, 0.047), rng.uniform(0.085, 0.11)
    return _cup(rng, [(r * 0.95, 0.0), (r, 0.01), (r, h)], rng.uniform(0.026, 0.035), False)


def mug_round(rng: Generator) -> Shape:
    """A bulging mug."""
    r, h = rng.uniform(0.04, 0.05), rng.uniform(0.08, 0.1)
    return _cup(rng, [(r * 0.6, 0.0), (r * 1.05, h * 0.35), (r * 1.05, h * 0.6), (r * 0.9, h)], 0.03, False)


def mug_saucer(rng: Generator) -> Shape:
    """A tea cup on a saucer."""
    r, h = rng.uniform(0.042, 0.05), rng.uniform(0.06, 0.075)
    return _cup(rng, [(r * 0.5, 0.0), (r * 0.75, h * 0.3), (r, h)], 0.024, True)


def mug_tall(rng: Generator) -> Shape:
    """A tall, slightly conical mug."""
    r, h = rng.uniform(0.04, 0.046), rng.uniform(0.11, 0.14)
    return _cup(rng, [(r * 0.75, 0.0), (r, h)], 0.032, False)


def _bowl(rng: Generator, r: float, h: float, flat: float, fruit: bool) -> Shape:
    b = ShapeBuilder()
    body = (
        mat.wood(rng)
        if rng.random() < 0.25
        else (mat.metal(rng) if rng.random() < 0.15 else _mug_material(rng))
    )
    profile = [
        (0, 0),
        (r * 0.4, 0),
        (r * 0.42, h * 0.08),
        (r * flat, h * 0.45),
        (r, h),
        (r * 0.95, h),
        (r * flat * 0.9, h * 0.5),
        (r * 0.3, h * 0.18),
        (0, h * 0.16),
    ]
    b.lathe(body, profile, segments=26)
    if fruit:
        for angle in np.arange(int(rng.integers(3, 6))) * 1.3:
            skin = mat.plastic(rng, mat.pick_color(rng, ("red", "orange", "yellow", "green")))
            size = rng.uniform(0.06, 0.08)
            b.cushion(
                skin, (r * 0.4 * np.cos(angle), r * 0.4 * np.sin(angle), h * 0.7), (size, size, size), 1.0
            )
    return b.build(body)


def bowl_deep(rng: Generator) -> Shape:
    """A round bowl, sometimes with fruit."""
    return _bowl(rng, rng.uniform(0.09, 0.16), rng.uniform(0.07, 0.1), 0.82, rng.random() < 0.4)


def bowl_flat(rng: Generator) -> Shape:
    """A wide, shallow bowl."""
    return _bowl(rng, rng.uniform(0.12, 0.19), rng.uniform(0.05, 0.065), 0.75, rng.random() < 0.3)


def bowl_small(rng: Generator) -> Shape:
    """A cereal bowl."""
    return _bowl(rng, rng.uniform(0.065, 0.085), rng.uniform(0.055, 0.07), 0.85, False)


def backpack_round(rng: Generator) -> Shape:
    """A day pack: soft body, front pocket, two straps, a loop on top."""
    return _pack(rng, rng.uniform(0.28, 0.34), rng.uniform(0.15, 0.2), rng.uniform(0.4, 0.48), 0.4)


def backpack_boxy(rng: Generator) -> Shape:
    """A boxy school bag with a flap."""
    return _pack(
        rng, rng.uniform(0.3, 0.36), rng.uniform(0.16, 0.22), rng.uniform(0.34, 0.42), 0.15, flap=True
    )


def backpack_hiking(rng: Generator) -> Shape:
    """A tall hiking pack with a lid and side pockets."""
    return _pack(rng, rng.uniform(0.3, 0.36), rng.uniform(0.2, 0.25), rng.uniform(0.55, 0.7), 0.35, lid=True)


def _pack(
    rng: Generator, w: float, d: float, h: float, e: float, flap: bool = False, lid: bool = False
) -> Shape:
    b = ShapeBuilder()
    cloth = mat.fabric(
        rng, mat.pick_color(rng, ("black", "blue", "red", "green", "gray", "orange", "purple", "pink")), 0.0
    )
    trim = mat.fabric(rng, "black", 0.0) if cloth.color_name != "black" else mat.fabric(rng, "gray", 0.0)
    b.cushion(cloth, (0, 0, h / 2), (w, d, h), e)
    b.cushion(cloth, (0, d / 2, h * 0.3), (w * 0.75, d * 0.45, h * 0.42), e)
    b.box(trim, (0, d * 0.725, h * 0.44), (w * 0.6, 0.004, 0.012))
    b.tube(
        trim,
        [
            (-0.03, -d * 0.2, h * 0.97),
            (-0.025, -d * 0.2, h + 0.035),
            (0.025, -d * 0.2, h + 0.035),
            (0.03, -d * 0.2, h * 0.97),
        ],
        0.009,
    )
    for s in (-1, 1):
        strap = [
            (s * w * 0.22, -d * 0.4, h * 0.93),
            (s * w * 0.27, -d * 0.75, h * 0.75),
            (s * w * 0.33, -d * 0.75, h * 0.4),
            (s * w * 0.4, -d * 0.4, h * 0.1),
        ]
        b.tube(trim, strap, 0.02)
        b.cushion(trim, (s * w * 0.5, 0, h * 0.22), (0.07, d * 0.6, h * 0.34), e)
    if flap:
        b.cushion(trim, (0, d * 0.25, h * 0.8), (w * 1.02, d * 0.9, h * 0.45), 0.15)
        b.box(mat.metal(rng, "yellow"), (0, d * 0.7, h * 0.62), (0.04, 0.01, 0.05))
    if lid:
        b.cushion(trim, (0, 0.01, h), (w * 1.05, d * 1.1, h * 0.18), 0.35)
        for s in (-1, 1):
            b.box(trim, (s * w * 0.25, d * 0.56, h * 0.75), (0.025, 0.01, h * 0.4))
    return b.build(cloth)


def bear_sitting(rng: Generator) -> Shape:
    """A teddy bear that sits with its legs forward."""
    return _bear(rng, rng.uniform(0.22, 0.42), standing=False)


def bear_standing(rng: Generator) -> Shape:
    """A teddy bear on its feet."""
    return _bear(rng, rng.uniform(0.26, 0.45), standing=True)


def bear_scarf(rng: Generator) -> Shape:
    """A sitting bear with a scarf."""
    return _bear(rng, rng.uniform(0.24, 0.45), standing=False, scarf=True)


def _bear(rng: Generator, h: float, standing: bool, scarf: bool = False) -> Shape:
    b = ShapeBuilder()
    word = mat.pick_color(rng, ("brown", "brown", "beige", "white", "pink", "gray", "orange"))
    base = np.asarray(mat.color(word, rng))
    light = np.clip(base * 1.6 + 0.08, 0, 0.9)
    fur = Material(
        Texture.BLOTCHES,
        mat.rgb(base),
        mat.rgb(base * 0.7),
        scale=0.012,
        name="fabric",
        color_name=word,
    )
    pale = Material(Texture.BLOTCHES, mat.rgb(light), mat.rgb(light * 0.8), scale=0.012)
    black = mat.plastic(rng, "black")
    lift = h * 0.12 if standing else 0.0
    b.cushion(fur, (0, 0, lift + h * 0.3), (h * 0.46, h * 0.4, h * 0.5), 0.9)
    b.cushion(pale, (0, h * 0.1, lift + h * 0.28), (h * 0.3, h * 0.24, h * 0.34), 0.9)
    head = lift + h * 0.68
    b.cushion(fur, (0, 0.01, head), (h * 0.4, h * 0.36, h * 0.36), 0.95)
    b.cushion(pale, (0, h * 0.17, head - h * 0.05), (h * 0.2, h * 0.14, h * 0.15), 1.0)
    b.cushion(black, (0, h * 0.235, head - h * 0.02), (h * 0.07, h * 0.05, h * 0.05), 1.0)
    for s in (-1, 1):
        b.cushion(black, (s * h * 0.085, h * 0.165, head + h * 0.05), (h * 0.045,) * 3, 1.0)
        b.cushion(fur, (s * h * 0.165, 0, head + h * 0.15), (h * 0.15, h * 0.08, h * 0.15), 1.0)
        b.cushion(pale, (s * h * 0.165, h * 0.03, head + h * 0.15), (h * 0.09, h * 0.04, h * 0.09), 1.0)
        b.cushion(
            fur,
            (s * h * 0.26, h * 0.08, lift + h * 0.36),
            (h * 0.14, h * 0.32, h * 0.15),
            0.9,
            yaw=s * 0.5,
            roll=-0.5,
        )
        if standing:
            b.cushion(fur, (s * h * 0.12, 0.0, h * 0.13), (h * 0.18, h * 0.2, h * 0.26), 0.8)
            b.cushion(pale, (s * h * 0.12, h * 0.06, h * 0.03), (h * 0.17, h * 0.26, h * 0.08), 0.8)
        else:
            b.cushion(
                fur, (s * h * 0.17, h * 0.24, h * 0.09), (h * 0.18, h * 0.42, h * 0.18), 0.8, yaw=-s * 0.35
            )
            b.cushion(
                pale, (s * h * 0.245, h * 0.44, h * 0.1), (h * 0.17, h * 0.06, h * 0.19), 0.9, yaw=-s * 0.35
            )
    if scarf:
        b.cushion(
            mat.fabric(rng, mat.pick_color(rng, ("red", "blue", "green", "yellow")), 0.5),
            (0, 0.01, lift + h * 0.52),
            (h * 0.38, h * 0.36, h * 0.09),
            0.8,
        )
    return b.build(fur)
