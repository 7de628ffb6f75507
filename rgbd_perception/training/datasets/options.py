"""What a user may choose when a data set is opened; a layout takes what it has a use for."""

from __future__ import annotations

from dataclasses import dataclass

from rgbd_perception.errors import UserError

ALL = "all"
"""The split of a data set that has none."""


@dataclass(frozen=True)
class ViewOptions:
    """Choices of all layouts.

    classes         size of the class list where there are several (ScanNet: 20 or 40); 0: the usual one
    refined_depth   in-painted instead of raw depth (NYUv2, SUN RGB-D)
    every           each so manyth frame, by the split files that exist (ScanNet, Hypersim) or of generated
                    rooms; 1: all
    instances       read instances and orientations where there are any
    need_depth      refuse a data set without depth
    depth_units     values for a metre in depth files of lists and of own folders
    condition       part of the path of the views that are wanted (DeLiVER: fog, night, motionblur, ...)
    """

    classes: int = 0
    refined_depth: bool = False
    every: int = 1
    instances: bool = True
    need_depth: bool = True
    depth_units: float = 1000.0
    condition: str = ""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UserError(f"every: expected 1 or more, got {self.every}")
        if not self.depth_units > 0:
            raise UserError(f"depth_units: expected values for a metre above 0, got {self.depth_units:g}")
