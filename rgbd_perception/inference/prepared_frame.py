"""A frame that waits for the network, with all done that can be done before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rgbd_perception.frame import RgbdFrame

if TYPE_CHECKING:  # a node names this type before it needs OpenCV
    from rgbd_perception.inference.fitting import FittedImages


@dataclass(frozen=True, eq=False)
class PreparedFrame:
    """``frame`` with its images as a network takes them; classes do not matter to it.

    took_ms  milliseconds of the preparation
    """

    frame: RgbdFrame
    images: FittedImages
    took_ms: float
