"""Classes of the published data sets with their colours, and which of them are things.

Void is no class: where files count from 1 with 0 as void, ``names[0]`` is the class that they write as 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.models.class_names import DELIVER, KEPT, NYUV2
from rgbd_perception.vocabulary import pascal_colors

STUFF = frozenset({"wall", "floor", "ceiling"})
"""Indoor classes without instances (EMSANet); all others are things."""

ORIENTED = frozenset({
    "cabinet", "bed", "chair", "sofa", "bookshelf", "shelves", "dresser", "refrigerator", "television",
    "person", "night stand", "toilet",
})  # fmt: skip
"""Classes whose instances have an orientation, in NYUv2, SUN RGB-D and Hypersim."""

SCENES = (
    "bathroom", "bedroom", "dining room", "discussion room", "hallway", "kitchen", "living room", "office",
    "other indoor", "stairs",
)  # fmt: skip
"""Classes of whole views."""

_SCANNET_40_COLORS = np.array([
    (174, 199, 232), (152, 223, 138), (31, 119, 180), (255, 187, 120), (188, 189, 34), (140, 86, 75),
    (255, 152, 150), (214, 39, 40), (197, 176, 213), (148, 103, 189), (196, 156, 148), (23, 190, 207),
    (178, 76, 76), (247, 182, 210), (66, 188, 102), (219, 219, 141), (140, 57, 197), (202, 185, 52),
    (51, 176, 203), (200, 54, 131), (92, 193, 61), (78, 71, 183), (172, 114, 82), (255, 127, 14),
    (91, 163, 138), (153, 98, 156), (140, 153, 101), (158, 218, 229), (100, 125, 154), (178, 127, 135),
    (120, 185, 128), (146, 111, 194), (44, 160, 44), (112, 128, 144), (96, 207, 209), (227, 119, 194),
    (213, 92, 176), (94, 106, 211), (82, 84, 163), (100, 85, 144),
], np.uint8)  # fmt: skip


@dataclass(frozen=True)
class ClassList:
    """Names (C), colours (C, 3) uint8 rgb, and which are things (C)."""

    names: tuple[str, ...]
    colors: NDArray[np.uint8]
    things: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.names)


def class_list(
    names: tuple[str, ...], colors: NDArray[np.uint8] | None = None, things: frozenset[str] | None = None
) -> ClassList:
    """``names`` with the colours of the PASCAL map unless others are given; all but ``STUFF`` are things."""
    return ClassList(
        names,
        pascal_colors(len(names)) if colors is None else colors,
        tuple(name not in STUFF if things is None else name in things for name in names),
    )


def _kept(count: int, colors: NDArray[np.uint8]) -> ClassList:
    rows = list(KEPT[count])
    return class_list(tuple(NYUV2[row] for row in rows), colors[rows])


NYUV2_40 = class_list(NYUV2)
"""Also Hypersim's."""

SUNRGBD_37 = _kept(37, NYUV2_40.colors)
"""In the colours of NYUv2, in which DVEFormer shows all data sets."""

SCANNET_40 = class_list(NYUV2, _SCANNET_40_COLORS)
SCANNET_20 = _kept(20, _SCANNET_40_COLORS)
DELIVER_25 = class_list(DELIVER, things=frozenset())
"""The data set has no instances."""
