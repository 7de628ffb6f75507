"""All shapes by class: which builders exist and how to draw one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from numpy.random import Generator

from rgbd_perception.sources.synthetic import shapes_appliances as appliances
from rgbd_perception.sources.synthetic import shapes_bathroom as bathroom
from rgbd_perception.sources.synthetic import shapes_bedroom as bedroom
from rgbd_perception.sources.synthetic import shapes_containers as containers
from rgbd_perception.sources.synthetic import shapes_decor as decor
from rgbd_perception.sources.synthetic import shapes_electronics as electronics
from rgbd_perception.sources.synthetic import shapes_seating as seating
from rgbd_perception.sources.synthetic import shapes_small as small
from rgbd_perception.sources.synthetic import shapes_storage as storage
from rgbd_perception.sources.synthetic import shapes_tables as tables
from rgbd_perception.sources.synthetic import shapes_wall as wall
from rgbd_perception.sources.synthetic.shape import Shape

ShapeMaker = Callable[..., Shape]

VARIANTS: dict[str, tuple[ShapeMaker, ...]] = {
    "bed": (bedroom.bed_frame, bedroom.bed_box_spring, bedroom.bed_platform),
    "sofa": (seating.sofa_one, seating.sofa_three, seating.sofa_corner),
    "chair": (seating.chair_with_legs, seating.chair_swivel, seating.chair_armchair, seating.chair_shell),
    "stool": (seating.stool_round, seating.stool_pedestal, seating.stool_square),
    "table": (tables.table_dining, tables.table_round, tables.table_coffee, tables.table_side),
    "desk": (tables.desk_drawers, tables.desk_trestle, tables.desk_hutch),
    "cabinet": (
        storage.cabinet_sideboard,
        storage.cabinet_drawers,
        storage.cabinet_tall,
        storage.cabinet_kitchen,
        storage.cabinet_wall,
    ),
    "bookshelf": (storage.bookshelf_tall, storage.bookshelf_low, storage.bookshelf_open),
    "wardrobe": (storage.wardrobe_doors, storage.wardrobe_sliding, storage.wardrobe_antique),
    "refrigerator": (appliances.fridge_two_doors, appliances.fridge_side_by_side, appliances.fridge_small),
    "stove": (appliances.stove_oven, appliances.stove_hob_cabinet, appliances.stove_gas_range),
    "sink": (appliances.sink_kitchen, appliances.sink_pedestal, appliances.sink_vanity),
    "toilet": (bathroom.toilet_close_coupled, bathroom.toilet_wall_hung, bathroom.toilet_high_tank),
    "bathtub": (bathroom.bathtub_built_in, bathroom.bathtub_free, bathroom.bathtub_claw),
    "washing machine": (bathroom.washer_front, bathroom.washer_stacked, bathroom.washer_top),
    "lamp": (
        electronics.lamp_floor,
        electronics.lamp_arc,
        electronics.lamp_table,
        electronics.lamp_desk,
        electronics.lamp_pendant,
        electronics.lamp_ceiling,
    ),
    "television": (electronics.tv_stand, electronics.tv_wall, electronics.tv_old),
    "laptop": (electronics.laptop_open, electronics.laptop_closed, electronics.laptop_on_riser),
    "potted plant": (decor.plant_leafy, decor.plant_tree, decor.plant_bush, decor.plant_cactus),
    "picture": (wall.picture_framed, wall.picture_canvas, wall.picture_standing),
    "mirror": (wall.mirror_rectangular, wall.mirror_round, wall.mirror_standing),
    "curtain": (wall.curtain_pair, wall.curtain_single, wall.curtain_roller),
    "rug": (decor.rug_rectangular, decor.rug_round, decor.rug_mat),
    "pillow": (bedroom.pillow_square, bedroom.pillow_lying, bedroom.pillow_bolster),
    "book": (small.book_row, small.book_stack, small.book_single, small.book_open),
    "box": (containers.box_closed, containers.box_open, containers.box_storage),
    "trash can": (containers.trash_round, containers.trash_pedal, containers.trash_swing),
    "mug": (small.mug_straight, small.mug_round, small.mug_saucer, small.mug_tall),
    "bowl": (small.bowl_deep, small.bowl_flat, small.bowl_small),
    "vase": (decor.vase_belly, decor.vase_cylinder, decor.vase_amphora),
    "clock": (electronics.clock_wall, electronics.clock_square, electronics.clock_alarm),
    "backpack": (small.backpack_round, small.backpack_boxy, small.backpack_hiking),
    "teddy bear": (small.bear_sitting, small.bear_standing, small.bear_scarf),
}
"""Builders of every furniture and household class; the five structure classes are in structure.py."""

_USUAL_SIZE: dict[str, float] = {
    "bed": 2.1, "sofa": 1.9, "chair": 0.95, "stool": 0.55, "table": 0.95, "desk": 1.35, "cabinet": 1.0,
    "bookshelf": 1.6, "wardrobe": 2.0, "refrigerator": 1.6, "stove": 0.92, "sink": 0.95, "toilet": 0.8,
    "bathtub": 1.58, "washing machine": 0.9, "lamp": 0.7, "television": 0.9, "laptop": 0.34,
    "potted plant": 0.7, "picture": 0.55, "mirror": 0.9, "curtain": 1.8, "rug": 1.4, "pillow": 0.5,
    "book": 0.27, "box": 0.4, "trash can": 0.45, "mug": 0.11, "bowl": 0.24, "vase": 0.3, "clock": 0.3,
    "backpack": 0.45, "teddy bear": 0.35,
}  # fmt: skip


def make_shape(class_name: str, rng: Generator, only: Sequence[ShapeMaker] = (), **options: float) -> Shape:
    """One random shape of ``class_name`` (or of the builders ``only``), with a size word if it stands out."""
    makers = tuple(only) or VARIANTS[class_name]
    shape = makers[rng.integers(len(makers))](rng, **options)
    ratio = float(shape.size.max()) / _USUAL_SIZE[class_name]
    word = ("small",) if ratio < 0.8 else (("large",) if ratio > 1.25 else ())
    return replace(shape, attributes=(*word, *shape.attributes))
