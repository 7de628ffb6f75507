"""The classes that the published networks were trained for, without void; ids are 0-based places."""

from __future__ import annotations

from rgbd_perception.errors import UserError

NYUV2 = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture",
    "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes",
    "ceiling", "books", "refrigerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard",
    "person", "night stand", "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture",
    "otherprop",
)  # fmt: skip
"""The 40 classes of NYUv2, which Hypersim and ScanNet share."""

KEPT: dict[int, tuple[int, ...]] = {
    40: tuple(range(40)),
    37: tuple(range(37)),
    20: (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 23, 27, 32, 33, 35, 38),
}
"""Which of the 40 classes the smaller sets keep, by their size: SUN RGB-D has 37, ScanNet's benchmark 20."""

DATA_SETS = {40: "nyuv2", 37: "sunrgbd", 20: "scannet"}
"""The data set that a number of classes speaks for, where nothing else is known."""

DELIVER = (
    "Building", "Fence", "Other", "Pedestrian", "Pole", "RoadLine", "Road", "SideWalk", "Vegetation", "Cars",
    "Wall", "TrafficSign", "Sky", "Ground", "Bridge", "RailTrack", "GroundRail", "TrafficLight", "Static",
    "Dynamic", "Water", "Terrain", "TwoWheeler", "Bus", "Truck",
)  # fmt: skip
"""The 25 classes of DeLiVER."""


def class_names(count: int) -> tuple[str, ...]:
    """Names of the ``count`` classes of a published set. Raises UserError where there is no such set."""
    if count == len(DELIVER):
        return DELIVER
    if count in KEPT:
        return tuple(NYUV2[index] for index in KEPT[count])
    sizes = ", ".join(map(str, (*KEPT, len(DELIVER))))
    raise UserError(f"expected a network with {sizes} classes, got {count}: their names are not known")


def kept_rows(given: int, wanted: int) -> tuple[int, ...]:
    """Rows of a classifier for ``given`` classes that make one for ``wanted``. Raises UserError."""
    if given == wanted:
        return tuple(range(given))
    if given == len(NYUV2) and wanted in KEPT:
        return KEPT[wanted]
    raise UserError(
        f"expected {given} classes, as the file has, got --classes {wanted}: only 40 can become 37 or 20"
    )
