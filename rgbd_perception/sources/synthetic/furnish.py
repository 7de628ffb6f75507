"""What belongs into which room, and where: furniture first, then what stands on it and hangs on the walls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import shapes_appliances as appliances
from rgbd_perception.sources.synthetic import shapes_bedroom as bedroom
from rgbd_perception.sources.synthetic import shapes_decor as decor
from rgbd_perception.sources.synthetic import shapes_electronics as electronics
from rgbd_perception.sources.synthetic import shapes_seating as seating
from rgbd_perception.sources.synthetic import shapes_small as small
from rgbd_perception.sources.synthetic import shapes_storage as storage
from rgbd_perception.sources.synthetic import shapes_tables as tables
from rgbd_perception.sources.synthetic.layout import Placed, RoomLayout
from rgbd_perception.sources.synthetic.plan import Room
from rgbd_perception.sources.synthetic.shapes import ShapeMaker, make_shape

_WALL_UNIT = (storage.cabinet_sideboard, storage.cabinet_drawers)


def furnish(room: Room, rng: Generator, min_objects: int, clutter: float) -> list[Placed]:
    """Everything in one room except its structure; at least ``min_objects``."""
    layout = RoomLayout(room, rng)
    _curtains(layout)
    _LARGE[room.kind](layout)
    _ceiling_lamp(layout)
    _wall_things(layout)
    _on_furniture(layout, clutter)
    _floor_things(layout, clutter)
    for _ in range(60):
        if len(layout.placed) >= min_objects:
            break
        _one_more(layout)
    return layout.placed


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
    for side in (-1, 1):
        for x in np.linspace(-w / 4, w / 4, 2 if w > 1.05 else 1) if w > 1.05 else [0.0]:
            places.append((x, side * (d / 2 + 0.2), 0.0 if side < 0 else np.pi))
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
            layout.put_on(shape, "television", stand, support, _taken(layout, stand, 0), yaw=0.1)
            return
    layout.put_wall(
        make_shape("television", rng, (electronics.tv_wall,)), "television", z=rng.uniform(0.9, 1.2)
    )


def _taken(layout: RoomLayout, owner: Placed, support: int) -> list[tuple[float, float, float]]:
    """What already stands on a support; kept with the layout so that later things stand beside it."""
    return layout.taken.setdefault((layout.placed.index(owner), support), [])


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
    _wall(layout, "mirror", (decor.mirror_standing,), 0.4)
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
        row.append(("washing machine", (appliances.washer_front,)))
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
        shape = make_shape("mirror", rng, (decor.mirror_rectangular, decor.mirror_round))
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
    _wall(layout, "mirror", (decor.mirror_standing,), 0.5)
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
        ("picture", (decor.picture_framed, decor.picture_canvas), 1.0),
        ("picture", (decor.picture_framed, decor.picture_canvas), 0.8),
        ("picture", (decor.picture_framed,), 0.5),
        ("clock", (electronics.clock_wall, electronics.clock_square), 0.55),
        ("mirror", (decor.mirror_rectangular, decor.mirror_round), 0.4),
        (
            "television",
            (electronics.tv_wall,),
            0.3 if layout.room.kind in ("bedroom", "office", "kitchen") else 0.0,
        ),
    ]
    for name, makers, chance in wishes:
        if rng.random() < chance:
            layout.put_wall(make_shape(name, rng, makers), name, z=rng.uniform(1.45, 1.75), tries=14)


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
        ("picture", (decor.picture_standing,), 0.8),
        ("teddy bear", (), 0.6),
        ("box", (storage.box_storage, storage.box_closed), 0.7),
    ),
    "shelf": (
        ("book", (small.book_row,), 6.0),
        ("book", (small.book_stack,), 1.0),
        ("vase", (), 1.0),
        ("bowl", (), 0.7),
        ("mug", (), 0.5),
        ("clock", (electronics.clock_alarm,), 0.5),
        ("box", (storage.box_storage,), 1.0),
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
        ("box", (storage.box_storage, storage.box_closed), 0.3),
    ),
    "pillow": (("pillow", (bedroom.pillow_lying,), 1.0),),
}


def _on_furniture(layout: RoomLayout, clutter: float) -> None:
    """Things on tables, in shelves, on sofas and beds."""
    for owner in list(layout.placed):
        for index, support in enumerate(owner.shape.supports):
            if support.kind == "shelf":
                _fill_shelf(layout, owner, index, clutter)
                continue
            area = support.size[0] * support.size[1]
            wanted = {"seat": 2.4, "blanket": 1.3, "pillow": 2.5}.get(support.kind, 1.2 + 3.5 * area)
            for _ in range(int(layout.rng.poisson(wanted * clutter))):
                _small_thing(layout, owner, index)


def _small_thing(layout: RoomLayout, owner: Placed, index: int) -> Placed | None:
    support = owner.shape.supports[index]
    name, makers = _draw(layout.rng, support.kind)
    shape = make_shape(name, layout.rng, makers)
    leaning = name == "pillow" and support.kind == "seat"
    spread = 0.15 if name == "pillow" else 0.5
    return layout.put_on(shape, name, owner, support, _taken(layout, owner, index), yaw=spread, rear=leaning)


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
    layout.put_on(make_shape(name, rng, makers), name, owner, support, _taken(layout, owner, index), yaw=0.2)


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


def _floor_things(layout: RoomLayout, clutter: float) -> None:
    for _ in range(int(layout.rng.poisson(3.5 * clutter)) + 1):
        _floor_thing(layout)


def _floor_thing(layout: RoomLayout) -> Placed | None:
    rng = layout.rng
    weights = np.array([weight for _, _, weight, _ in _FLOOR])
    name, makers, _, at_wall = _FLOOR[int(rng.choice(len(_FLOOR), p=weights / weights.sum()))]
    shape = make_shape(name, rng, makers)
    if at_wall and rng.random() < 0.7:
        return layout.put_wall(shape, name)
    return layout.put_free(shape, name, margin=0.1, yaw=float(rng.uniform(-np.pi, np.pi)))


def _one_more(layout: RoomLayout) -> None:
    """Anything that still fits: on a support, on a wall, on the floor."""
    owners = [(p, i) for p in layout.placed for i, s in enumerate(p.shape.supports) if s.kind != "shelf"]
    rng = layout.rng
    kind = rng.random()
    if owners and kind < 0.6:
        owner, index = owners[int(rng.integers(len(owners)))]
        _small_thing(layout, owner, index)
    elif kind < 0.8:
        layout.put_wall(
            make_shape("picture", rng, (decor.picture_framed,)), "picture", z=rng.uniform(1.4, 1.8)
        )
    else:
        _floor_thing(layout)
