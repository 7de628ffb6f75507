"""What any network of this package returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ModelOutput:
    """Raw outputs of a network; None where it has no such head. B batch, h x w the output grid.

    logits         (B, C, h, w) class scores
    rgb_logits     (B, C, h, w) class scores of the color stream (networks that keep two streams)
    depth_logits   (B, C, h, w) class scores of the other stream: depth, or all other modalities in one
    embedding      (B, D, h, w) text-aligned embeddings, not normalised
    center         (B, 1, h, w) instance centre heat map, 0..1
    offset         (B, 2, h, w) offsets (y, x) to the instance centre, relative to the image size
    orientation    (B, 2, h, w) unit vectors (cos, sin) of the yaw
    scene          (B, S) scene class scores
    """

    logits: Tensor | None = None
    rgb_logits: Tensor | None = None
    depth_logits: Tensor | None = None
    embedding: Tensor | None = None
    center: Tensor | None = None
    offset: Tensor | None = None
    orientation: Tensor | None = None
    scene: Tensor | None = None
