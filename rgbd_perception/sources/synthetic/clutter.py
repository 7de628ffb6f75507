"""Small things: on tables, in shelves, on seats and beds, on the floor."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import shapes_bedroom as bedroom
from rgbd_perception.sources.synthetic import shapes_containers as containers
from rgbd_perception.sources.synthetic import shapes_decor as decor
from rgbd_perception.sources.synthetic import shapes_electronics as electronics
from rgbd_perception.sources.synthetic import shapes_small as small
from rgbd_perception.sources.synthetic import shapes_wall as wall_shapes
from rgbd_perception.sources.synthetic.layout import Placed, RoomLayout
from rgbd_perception.sources.synthetic.shapes import ShapeMaker, make_shape

_SMALL: dict[str, tuple[tuple[str, tuple[ShapeMaker, ...], float], ...]] = {
    "top": (
        ("mug", (), 3.0),
        ("bowl", (), 2.0),
        ("vase", (), 2.2),
        ("book", (small.book_stack, small.book_single, small.book_open), 2.2),
        ("laptop", (), 1.3),
        ("lamp", (electronics.lamp_table, electronics.lamp_desk), 1.4),
        ("clock", (electronics.clock_alarm,), 0.9),
        ("potted plant", (decor.plant_leafy, decor.plant_bush, decor.plant_cactus), 1.4),
        ("picture", (wall_shapes.picture_standing,), 0.8),
        ("teddy bear", (), 0.6),
        ("box", (containers.box_storage, containers.box_closed), 0.7),
    ),
    "shelf": (
        ("book", (small.book_row,), 6.0),
        ("book", (small.book_stack,), 1.0),
        ("vase", (), 1.0),
        ("bowl", (), 0.7),
        ("mug", (), 0.5),
        ("clock", (electronics.clock_alarm,), 0.5),
        ("box", (containers.box_storage,), 1.0),
        ("teddy bear", (), 0.5),
        ("potted plant", (decor.plant_bush, decor.plant_cactus), 0.6),
    ),
    "seat": (
        ("pillow", (bedroom.pillow_square, bedroom.pillow_bolster), 5.0),
        ("book", (small.book_single, small.book_open), 1.0),
        ("teddy bear", (), 1.2),
        ("backpack", (small.backpack_round, small.backpack_boxy), 0.7),
        ("laptop", (electronics.laptop_open, electronics.laptop_closed), 0.5),
    ),
    "blanket": (
        ("pillow", (bedroom.pillow_lying,), 1.0),
        ("book", (small.book_single, small.book_open), 1.5),
        ("teddy bear", (), 1.5),
        ("backpack", (small.backpack_round, small.backpack_boxy), 0.7),
        ("laptop", (electronics.laptop_open, electronics.laptop_closed), 0.7),
        ("box", (containers.box_storage, containers.box_closed), 0.3),
    ),
    "pillow": (("pillow", (bedroom.pillow_lying,), 1.0),),
}


def fill_furniture(layout: RoomLayout, clutter: float) -> None:
    """Things on tables, in shelves, on sofas and beds."""
    for owner in list(layout.placed):
        for index, support in enumerate(owner.shape.supports):
            if support.kind == "shelf":
                _fill_shelf(layout, owner, index, clutter)
                continue
            area = support.size[0] * support.size[1]
            wanted = {"seat": 2.4, "blanket": 1.3, "pillow": 2.5}.get(support.kind, 1.2 + 3.5 * area)
            for _ in range(int(layout.rng.poisson(wanted * clutter))):
                small_thing(layout, owner, index)


def small_thing(layout: RoomLayout, owner: Placed, index: int) -> Placed | None:
    support = owner.shape.supports[index]
    name, makers = _draw(layout.rng, support.kind)
    shape = make_shape(name, layout.rng, makers)
    leaning = name == "pillow" and support.kind == "seat"
    spread = 0.15 if name == "pillow" else 0.5
    return layout.put_on(shape, name, owner, support, layout.occupied(owner, index), yaw=spread, rear=leaning)


def _draw(rng: Generator, kind: str) -> tuple[str, tuple[ShapeMaker, ...]]:
    options = _SMALL[kind]
    weights = np.array([weight for _, _, weight in options])
    name, makers, _ = options[int(rng.choice(len(options), p=weights / weights.sum()))]
    return name, makers


def _fill_shelf(layout: RoomLayout, owner: Placed, index: int, clutter: float) -> None:
    """A board: a row of books over part of it, then something beside it, or nothing."""
    rng = layout.rng
    support = owner.shape.supports[index]
    if rng.random() > 0.5 + 0.4 * clutter:
        return
    name, makers = _draw(rng, "shelf")
    width, depth = support.size
    if name == "book" and makers[0] is small.book_row:
        part = width * rng.uniform(0.4, 1.0)
        if part < 0.12 or support.clearance < 0.12:
            return
        shape = small.book_row(rng, width=part, depth=depth, height=min(support.clearance, 0.32))
        side = float(rng.choice([-1, 1]))
        x = support.center[0] + side * (width - part) / 2
        position = owner.world((x, support.center[1], support.center[2] + 0.001))
        layout.placed.append(Placed(shape, "book", position, owner.yaw, layout.room.index))
        left = width - part
        if left > 0.16 and rng.random() < 0.6:
            other, makers = _draw(rng, "shelf")
            if makers and makers[0] is small.book_row:
                return
            extra = make_shape(other, rng, makers)
            if extra.size[0] < left and extra.size[1] < depth + 0.05 and extra.size[2] < support.clearance:
                spot = owner.world(
                    (support.center[0] - side * part / 2, support.center[1], support.center[2] + 0.001)
                )
                layout.placed.append(Placed(extra, other, spot, owner.yaw, layout.room.index))
        return
    layout.put_on(make_shape(name, rng, makers), name, owner, support, layout.occupied(owner, index), yaw=0.2)


_FLOOR: tuple[tuple[str, tuple[ShapeMaker, ...], float, bool], ...] = (
    ("potted plant", (decor.plant_leafy, decor.plant_tree, decor.plant_cactus), 1.6, True),
    ("trash can", (), 1.4, True),
    ("box", (), 1.6, True),
    ("backpack", (), 1.5, True),
    ("teddy bear", (), 0.7, False),
    ("stool", (), 0.7, False),
    ("lamp", (electronics.lamp_floor,), 0.5, True),
    ("pillow", (bedroom.pillow_lying,), 0.3, False),
    ("book", (small.book_stack,), 0.4, False),
    ("vase", (decor.vase_cylinder, decor.vase_amphora), 0.4, True),
)


def fill_floor(layout: RoomLayout, clutter: float) -> None:
    for _ in range(int(layout.rng.poisson(3.5 * clutter)) + 1):
        floor_thing(layout)


def floor_thing(layout: RoomLayout) -> Placed | None:
    rng = layout.rng
    weights = np.array([weight for _, _, weight, _ in _FLOOR])
    name, makers, _, at_wall = _FLOOR[int(rng.choice(len(_FLOOR), p=weights / weights.sum()))]
    shape = make_shape(name, rng, makers)
    if at_wall and rng.random() < 0.7:
        return layout.put_wall(shape, name)
    return layout.put_free(shape, name, margin=0.1, yaw=float(rng.uniform(-np.pi, np.pi)))
