"""The furniture of each kind of room: what belongs together and where it stands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rgbd_perception.sources.synthetic import shapes_appliances as appliances
from rgbd_perception.sources.synthetic import shapes_bathroom as bathroom
from rgbd_perception.sources.synthetic import shapes_decor as decor
from rgbd_perception.sources.synthetic import shapes_electronics as electronics
from rgbd_perception.sources.synthetic import shapes_seating as seating
from rgbd_perception.sources.synthetic import shapes_storage as storage
from rgbd_perception.sources.synthetic import shapes_tables as tables
from rgbd_perception.sources.synthetic import shapes_wall as wall_shapes
from rgbd_perception.sources.synthetic.layout import Placed, RoomLayout
from rgbd_perception.sources.synthetic.shapes import ShapeMaker, make_shape

_WALL_UNIT = (storage.cabinet_sideboard, storage.cabinet_drawers)


def _wall(
    layout: RoomLayout,
    name: str,
    only: Sequence[ShapeMaker] = (),
    chance: float = 1.0,
    corner: bool = False,
    attempts: int = 3,
) -> Placed | None:
    """Up to ``attempts`` different shapes against any wall."""
    if layout.rng.random() > chance:
        return None
    for _ in range(attempts):
        done = layout.put_wall(make_shape(name, layout.rng, only), name, corner=corner)
        if done is not None:
            return done
    return None


def _front_of(
    layout: RoomLayout,
    owner: Placed,
    name: str,
    only: Sequence[ShapeMaker],
    distance: float,
    facing: bool = True,
    jitter: float = 0.25,
    aside: float = 0.0,
) -> Placed | None:
    """In front of ``owner``, looking at it (or away)."""
    for attempt in range(4):
        shape = make_shape(name, layout.rng, only)
        out = owner.shape.bounds[1][1] + distance + 0.05 * attempt
        x, y, _ = owner.world((aside + layout.rng.uniform(-0.1, 0.1), float(out), 0.0))
        yaw = owner.yaw + (np.pi if facing else 0.0) + layout.rng.uniform(-jitter, jitter)
        done = layout.put(shape, name, x, y, 0.0, yaw)
        if done is not None:
            return done
    return None


def _beside(
    layout: RoomLayout, owner: Placed, name: str, only: Sequence[ShapeMaker], side: int, at_back: bool = True
) -> Placed | None:
    """Left or right of ``owner``, backs aligned."""
    shape = make_shape(name, layout.rng, only)
    low, high = owner.shape.bounds
    half = float(shape.size[0]) / 2
    x = (high[0] + half + 0.05) if side > 0 else (low[0] - half - 0.05)
    y = low[1] - shape.bounds[0][1] if at_back else 0.0
    wx, wy, _ = owner.world((float(x), float(y), 0.0))
    return layout.put(shape, name, wx, wy, 0.0, owner.yaw)


def _chairs_around(
    layout: RoomLayout, table: Placed, name: str = "chair", only: Sequence[ShapeMaker] = ()
) -> None:
    """Chairs of one kind along the sides of a table, one or two missing or pulled out."""
    rng = layout.rng
    maker = only or ((seating.chair_with_legs,) if rng.random() < 0.7 else (seating.chair_shell,))
    seed = int(rng.integers(2**31))
    w, d = table.shape.size[:2]
    places = []
    along = (-w / 4, w / 4) if w > 1.05 else (0.0,)
    for side in (-1, 1):
        places += [(x, side * (d / 2 + 0.2), 0.0 if side < 0 else np.pi) for x in along]
    if w > 0.9:
        places += [(side * (w / 2 + 0.22), 0.0, np.pi / 2 if side > 0 else -np.pi / 2) for side in (-1, 1)]
    for x, y, turn in places:
        if rng.random() < 0.2:
            continue
        shape = make_shape(name, np.random.default_rng(seed), maker)
        push = rng.uniform(0.0, 0.2)
        wx, wy, _ = table.world(
            (
                float(x) + (np.sign(x) * push if turn in (np.pi / 2, -np.pi / 2) else 0),
                float(y + np.sign(y) * push),
                0.0,
            )
        )
        layout.put(shape, name, wx, wy, 0.0, table.yaw + turn + rng.uniform(-0.2, 0.2), gap=-0.02)


def _living_room(layout: RoomLayout) -> None:
    rng = layout.rng
    sofa = _wall(layout, "sofa")
    if sofa is not None:
        coffee = _front_of(layout, sofa, "table", (tables.table_coffee,), 0.75, jitter=0.05)
        if rng.random() < 0.7:
            center = (coffee or sofa).position
            shape = make_shape("rug", rng, (decor.rug_rectangular, decor.rug_round))
            layout.put(shape, "rug", center[0], center[1], 0.0, sofa.yaw, solid=False)
        for side in (-1, 1):
            if rng.random() < 0.55:
                kind = rng.random()
                if kind < 0.5:
                    _beside(layout, sofa, "lamp", (electronics.lamp_floor, electronics.lamp_arc), side)
                else:
                    _beside(layout, sofa, "table", (tables.table_side,), side)
        for side in (-1, 1):
            if rng.random() < 0.5 and coffee is not None:
                x = side * (coffee.shape.size[0] / 2 + 0.6)
                _armchair(layout, coffee, float(x), side)
    if rng.random() < 0.35:
        _wall(layout, "sofa", (seating.sofa_one,))
    _television(layout)
    _wall(layout, "bookshelf", chance=0.85)
    _wall(layout, "cabinet", (*_WALL_UNIT, storage.cabinet_tall), 0.6)
    _wall(layout, "bookshelf", chance=0.3)
    if layout.room.area > 14 and rng.random() < 0.6:
        table = layout.put_free(
            make_shape("table", rng, (tables.table_dining, tables.table_round)), "table", margin=0.75
        )
        if table is not None:
            _chairs_around(layout, table)
    if rng.random() < 0.3:
        _wall(layout, "chair", (seating.chair_armchair,))
    if rng.random() < 0.25:
        layout.put_free(make_shape("stool", rng), "stool", margin=0.3)


def _armchair(layout: RoomLayout, coffee: Placed, x: float, side: int) -> None:
    wx, wy, _ = coffee.world((x, 0.0, 0.0))
    yaw = coffee.yaw + (np.pi / 2 if side > 0 else -np.pi / 2) + layout.rng.uniform(-0.3, 0.3)
    layout.put(make_shape("chair", layout.rng, (seating.chair_armchair,)), "chair", wx, wy, 0.0, yaw)


def _television(layout: RoomLayout) -> None:
    rng = layout.rng
    if rng.random() < 0.6:
        stand = _wall(layout, "cabinet", (storage.cabinet_sideboard,))
        if stand is not None:
            support = stand.shape.supports[0]
            maker = electronics.tv_stand if rng.random() < 0.75 else electronics.tv_old
            shape = make_shape("television", rng, (maker,))
            layout.put_on(shape, "television", stand, support, layout.occupied(stand, 0), yaw=0.1)
            return
    layout.put_wall(
        make_shape("television", rng, (electronics.tv_wall,)), "television", z=rng.uniform(0.9, 1.2)
    )


def _bedroom(layout: RoomLayout) -> None:
    rng = layout.rng
    bed = None
    for _ in range(6):
        bed = bed or _wall(layout, "bed", corner=rng.random() < 0.4)
    if bed is not None:
        for side in (-1, 1):
            if rng.random() < 0.8:
                makers = (storage.cabinet_drawers,) if rng.random() < 0.65 else (tables.table_side,)
                name = "cabinet" if makers[0] is storage.cabinet_drawers else "table"
                _beside(layout, bed, name, makers, side)
        if rng.random() < 0.6:
            shape = make_shape("rug", rng)
            x, y, _ = bed.world((0.0, float(bed.shape.bounds[1][1]) * 0.8, 0.0))
            layout.put(shape, "rug", x, y, 0.0, bed.yaw, solid=False)
    _wall(layout, "wardrobe", corner=True)
    _wall(layout, "cabinet", _WALL_UNIT, 0.6)
    if rng.random() < 0.4:
        _desk(layout)
    _wall(layout, "chair", (seating.chair_armchair, seating.chair_with_legs), 0.4)
    _wall(layout, "mirror", (wall_shapes.mirror_standing,), 0.4)
    _wall(layout, "bookshelf", chance=0.35)
    _wall(layout, "bed", chance=0.2)
    _wall(layout, "lamp", (electronics.lamp_floor,), 0.3, corner=True)
    if rng.random() < 0.3:
        layout.put_free(make_shape("stool", rng), "stool", margin=0.3)


def _desk(layout: RoomLayout) -> Placed | None:
    desk = _wall(layout, "desk")
    if desk is not None:
        makers = (
            (seating.chair_swivel,)
            if layout.rng.random() < 0.7
            else (seating.chair_with_legs, seating.chair_shell)
        )
        _front_of(layout, desk, "chair", makers, 0.15, jitter=0.5)
    return desk


def _office(layout: RoomLayout) -> None:
    rng = layout.rng
    _desk(layout)
    if rng.random() < 0.6:
        _desk(layout)
    for chance in (0.95, 0.6, 0.3):
        _wall(layout, "bookshelf", chance=chance)
    _wall(layout, "cabinet", (*_WALL_UNIT, storage.cabinet_tall), 0.7)
    _wall(layout, "sofa", (seating.sofa_one, seating.sofa_three), 0.35)
    _wall(layout, "chair", (seating.chair_armchair, seating.chair_with_legs), 0.5)
    _wall(layout, "lamp", (electronics.lamp_floor, electronics.lamp_arc), 0.5, corner=True)
    if rng.random() < 0.4:
        layout.put_free(make_shape("rug", rng), "rug", solid=False, margin=0.2)
    if rng.random() < 0.3:
        layout.put_free(
            make_shape("table", rng, (tables.table_round, tables.table_side)), "table", margin=0.7
        )
    if rng.random() < 0.4:
        layout.put_free(make_shape("stool", rng), "stool", margin=0.3)


def _kitchen(layout: RoomLayout) -> None:
    """A row of units along a wall, round the corner where it fits, cupboards above, a table."""
    rng = layout.rng
    row: list[tuple[str, Sequence[ShapeMaker]]] = [
        ("refrigerator", ()),
        ("cabinet", (storage.cabinet_kitchen,)),
        ("stove", ()),
        ("cabinet", (storage.cabinet_kitchen,)),
        ("sink", (appliances.sink_kitchen,)),
        ("cabinet", (storage.cabinet_kitchen,)),
    ]
    if rng.random() < 0.35:
        row.append(("washing machine", (bathroom.washer_front,)))
    if rng.random() < 0.5:
        row.reverse()
    _kitchen_row(layout, row)
    if rng.random() < 0.8:
        shape = make_shape("table", rng, (tables.table_dining, tables.table_round))
        table = layout.put_free(shape, "table", margin=0.7, tries=20) or _wall(
            layout, "table", (tables.table_round,)
        )
        if table is not None:
            if rng.random() < 0.25:
                _chairs_around(layout, table, "stool", (seating.stool_round, seating.stool_square))
            else:
                _chairs_around(layout, table)
    for _ in range(int(rng.integers(0, 3))):
        layout.put_free(make_shape("stool", rng), "stool", margin=0.25)
    _wall(layout, "cabinet", (storage.cabinet_tall, storage.cabinet_sideboard), 0.5)


def _kitchen_row(layout: RoomLayout, row: list[tuple[str, Sequence[ShapeMaker]]]) -> None:
    """Units side by side from a corner; what does not fit goes on along the next wall."""
    rng, room = layout.rng, layout.room
    unit_seed = int(rng.integers(2**31))
    side = int(rng.integers(4))
    offset = 0.02
    pending = list(row)
    for turn in range(4):
        wall = (side + turn) % 4
        length = room.wall_length(wall)
        while pending and offset < length - 0.5:
            name, makers = pending[0]
            seeded = np.random.default_rng(unit_seed) if name == "cabinet" and rng.random() < 0.7 else rng
            shape = make_shape(name, seeded, makers)
            width = float(shape.size[0])
            along = -length / 2 + offset + width / 2
            placed = None
            if along + width / 2 < length / 2 and layout.wall_free(
                wall, along, width, 0.0, float(shape.size[2])
            ):
                x, y = room.wall_point(wall, along, 0.015 - float(shape.bounds[0][1]))
                placed = layout.put(shape, name, x, y, 0.0, room.wall_yaw(wall), gap=0.0)
            if placed is None:
                offset += 0.25
                continue
            pending.pop(0)
            if name in ("cabinet", "sink") and rng.random() < 0.75:
                upper = make_shape("cabinet", np.random.default_rng(unit_seed + 1), (storage.cabinet_wall,))
                if layout.wall_free(wall, along, float(upper.size[0]), 1.4, 2.1):
                    x, y = room.wall_point(wall, along, 0.01 - float(upper.bounds[0][1]))
                    layout.put(upper, "cabinet", x, y, 1.45, room.wall_yaw(wall))
            offset += width + 0.01
        offset = 0.68


def _bathroom(layout: RoomLayout) -> None:
    rng = layout.rng
    for _ in range(2):
        if _wall(layout, "bathtub", corner=True) is not None:
            break
    _wall(layout, "toilet", attempts=5)
    basin = _wall(layout, "sink", (appliances.sink_pedestal, appliances.sink_vanity), attempts=5)
    if basin is not None and rng.random() < 0.85:
        shape = make_shape("mirror", rng, (wall_shapes.mirror_rectangular, wall_shapes.mirror_round))
        x, y, _ = basin.world((0.0, float(basin.shape.bounds[0][1] - shape.bounds[0][1]), 0.0))
        layout.put(shape, "mirror", x, y, 1.2 + float(shape.size[2]) / 2, basin.yaw)
    _wall(layout, "washing machine", chance=0.9, attempts=5)
    _wall(layout, "cabinet", (storage.cabinet_drawers, storage.cabinet_tall), 0.7)
    _wall(layout, "sink", (appliances.sink_pedestal,), 0.25)
    _wall(layout, "trash can", chance=0.7)
    if rng.random() < 0.8:
        layout.put_free(
            make_shape("rug", rng, (decor.rug_mat, decor.rug_round)), "rug", margin=0.3, solid=False
        )
    if rng.random() < 0.5:
        layout.put_free(make_shape("stool", rng), "stool", margin=0.25)


def _hallway(layout: RoomLayout) -> None:
    rng = layout.rng
    _wall(layout, "cabinet", (*_WALL_UNIT, storage.cabinet_tall), 0.9)
    _wall(layout, "wardrobe", chance=0.7)
    _wall(layout, "mirror", (wall_shapes.mirror_standing,), 0.5)
    _wall(layout, "stool", chance=0.5)
    _wall(layout, "bookshelf", (storage.bookshelf_low,), 0.5)
    _wall(layout, "chair", (seating.chair_with_legs, seating.chair_shell), 0.5)
    _wall(layout, "table", (tables.table_side,), 0.6)
    _wall(layout, "washing machine", chance=0.15)
    if rng.random() < 0.8:
        layout.put_free(make_shape("rug", rng), "rug", margin=0.2, solid=False)


_LARGE = {
    "living room": _living_room,
    "bedroom": _bedroom,
    "kitchen": _kitchen,
    "bathroom": _bathroom,
    "office": _office,
    "hallway": _hallway,
}


def place_furniture(layout: RoomLayout) -> None:
    """The large things of the room's kind."""
    _LARGE[layout.room.kind](layout)
