"""Filling one room: furniture, what hangs on the walls, what stands on the furniture and on the floor."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

from rgbd_perception.sources.synthetic import shapes_electronics as electronics
from rgbd_perception.sources.synthetic import shapes_wall as wall_shapes
from rgbd_perception.sources.synthetic.clutter import fill_floor, fill_furniture, floor_thing, small_thing
from rgbd_perception.sources.synthetic.furniture import place_furniture
from rgbd_perception.sources.synthetic.layout import Placed, RoomLayout
from rgbd_perception.sources.synthetic.plan import Room
from rgbd_perception.sources.synthetic.shapes import ShapeMaker, make_shape


def furnish(room: Room, rng: Generator, min_objects: int, clutter: float) -> list[Placed]:
    """Everything in one room except its structure; at least ``min_objects``."""
    layout = RoomLayout(room, rng)
    _curtains(layout)
    place_furniture(layout)
    _ceiling_lamp(layout)
    _wall_things(layout)
    fill_furniture(layout, clutter)
    fill_floor(layout, clutter)
    for _ in range(60):
        if len(layout.placed) >= min_objects:
            break
        _one_more(layout)
    return layout.placed


def _curtains(layout: RoomLayout) -> None:
    room, rng = layout.room, layout.rng
    for side in range(4):
        for o in room.openings[side]:
            if o.kind != "window" or rng.random() > 0.65:
                continue
            tall = (o.high - o.low) + (o.low - 0.25 if rng.random() < 0.5 else 0.15)
            shape = make_shape("curtain", rng, width=o.width, height=tall)
            low, high = float(shape.bounds[0][2]), float(shape.bounds[1][2])
            z = min(o.high + 0.18, room.height - 0.03) - high
            x, y = room.wall_point(side, o.along, 0.14)
            if z + low > 0.0:
                layout.put(shape, "curtain", x, y, z, room.wall_yaw(side))


def _ceiling_lamp(layout: RoomLayout) -> None:
    rng, room = layout.rng, layout.room
    pendants = [p for p in layout.placed if p.class_name == "table" and p.shape.size[2] > 0.6]
    shape = make_shape("lamp", rng, (electronics.lamp_pendant, electronics.lamp_ceiling))
    x, y = room.center
    if pendants and rng.random() < 0.6:
        x, y = pendants[0].position[:2]
    layout.put_ceiling(shape, "lamp", x + rng.uniform(-0.2, 0.2), y + rng.uniform(-0.2, 0.2))


def _wall_things(layout: RoomLayout) -> None:
    rng = layout.rng
    wishes: list[tuple[str, Sequence[ShapeMaker], float]] = [
        ("picture", (wall_shapes.picture_framed, wall_shapes.picture_canvas), 1.0),
        ("picture", (wall_shapes.picture_framed, wall_shapes.picture_canvas), 0.8),
        ("picture", (wall_shapes.picture_framed,), 0.5),
        ("clock", (electronics.clock_wall, electronics.clock_square), 0.55),
        ("mirror", (wall_shapes.mirror_rectangular, wall_shapes.mirror_round), 0.4),
        (
            "television",
            (electronics.tv_wall,),
            0.3 if layout.room.kind in ("bedroom", "office", "kitchen") else 0.0,
        ),
    ]
    for name, makers, chance in wishes:
        if rng.random() < chance:
            layout.put_wall(make_shape(name, rng, makers), name, z=rng.uniform(1.45, 1.75), tries=14)


def _one_more(layout: RoomLayout) -> None:
    """Anything that still fits: on a support, on a wall, on the floor."""
    owners = [(p, i) for p in layout.placed for i, s in enumerate(p.shape.supports) if s.kind != "shelf"]
    rng = layout.rng
    kind = rng.random()
    if owners and kind < 0.6:
        owner, index = owners[int(rng.integers(len(owners)))]
        small_thing(layout, owner, index)
    elif kind < 0.8:
        layout.put_wall(
            make_shape("picture", rng, (wall_shapes.picture_framed,)), "picture", z=rng.uniform(1.4, 1.8)
        )
    else:
        floor_thing(layout)
