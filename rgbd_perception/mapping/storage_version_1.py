"""Map files of format version 1, which kept every embedding, as version 2 in exact storage."""

from __future__ import annotations

from typing import Any

import numpy as np

from rgbd_perception.mapping.header import MILLISECOND
from rgbd_perception.mapping.snapshot import Columns

_ESTABLISHED = 5
"""Frames for a voxel, taken for granted: the file has only those against it."""


def from_version_1(metadata: dict[str, Any], tensors: Columns) -> tuple[dict[str, Any], Columns]:
    """Metadata and tensors of version 1, whose checksums were verified -> those of version 2."""
    tensors = dict(tensors)
    stamps = tensors["last_seen"]
    epoch_ns = int(stamps.min(initial=stamps.max(initial=0))) - MILLISECOND
    tensors["last_seen"] = ((stamps - epoch_ns) // MILLISECOND).astype(np.uint32)
    tensors["occupancy"] = np.maximum(_ESTABLISHED - tensors.pop("misses").astype(int), 1).astype(np.uint8)
    if "feature" in tensors:
        tensors["feature"] = tensors["feature"].astype(np.float32)
    checksums = {"occupancy" if name == "misses" else name: text for name, text in metadata["crc32"].items()}
    return metadata | {"storage": "exact", "epoch_ns": epoch_ns, "crc32": checksums}, tensors
