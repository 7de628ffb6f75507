"""Class vocabularies: an ordered list of names in a text space, with an identity and colours."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError

UNKNOWN_LABEL = 65535
"""Label of a pixel, cell or voxel whose class is not known (uint16; 255 in mono8 images)."""


def pascal_colors(count: int) -> NDArray[np.uint8]:
    """Return the (count, 3) uint8 rgb colours 1..count of the PASCAL VOC map (bit-interleaved ids).

    Neighbouring ids get clearly different colours; id 0 of the PASCAL map (black) is skipped, because our
    ids are 0-based without a void class.
    """
    ids = np.arange(1, count + 1, dtype=np.uint32)
    colors = np.zeros((count, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= (((ids >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colors


@dataclass(frozen=True)
class Vocabulary:
    """Ordered class names; label ``i`` means ``names[i]``. Void is never a class (it is UNKNOWN_LABEL).

    ``text_space`` names the text encoder whose embeddings the names were compared with, or is empty for a
    network with a fixed classifier.
    """

    names: tuple[str, ...]
    text_space: str = ""

    def __init__(self, names: Sequence[str], text_space: str = "") -> None:
        if not names:
            raise UserError("a vocabulary needs at least one class name; none was given")
        if len(names) >= UNKNOWN_LABEL:
            raise UserError(f"a vocabulary holds at most {UNKNOWN_LABEL - 1} names, {len(names)} were given")
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        if repeated:
            raise UserError(f"class names must differ; given more than once: {', '.join(repeated)}")
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "text_space", text_space)

    @cached_property
    def id(self) -> str:
        """Twelve hex digits of the SHA-256 over names and text space: equal ids, equal meaning of labels."""
        payload = json.dumps([self.text_space, list(self.names)], ensure_ascii=False).encode()
        return hashlib.sha256(payload).hexdigest()[:12]

    @cached_property
    def colors(self) -> NDArray[np.uint8]:
        """(C, 3) uint8 rgb, one colour for each class."""
        return pascal_colors(len(self.names))

    def __len__(self) -> int:
        return len(self.names)
