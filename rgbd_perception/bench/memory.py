"""Bytes of a map: what it says of itself, and what the system says of the process."""

from __future__ import annotations

import ctypes
import gc
import sys
from dataclasses import dataclass

from rgbd_perception.bench.machine import resident_bytes
from rgbd_perception.mapping import VoxelMap


@dataclass(frozen=True)
class MapBytes:
    """Bytes for each live voxel.

    stated     ``VoxelMap.nbytes``: every array, hash slack and codebook included
    resident   growth of the process's resident memory since before the map, None where it cannot be known
    """

    stated: float
    resident: float | None


def settled_resident_bytes() -> int | None:
    """Resident memory after garbage was collected and the C library gave back what is free."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)
    return resident_bytes()


def bytes_per_voxel(voxel_map: VoxelMap, resident_before: int | None) -> MapBytes:
    """Divide by the live voxels; ``resident_before`` is that of settled_resident_bytes() before the map."""
    voxels = len(voxel_map)
    resident = settled_resident_bytes()
    growth = None
    if resident is not None and resident_before is not None:
        growth = round((resident - resident_before) / voxels, 1)
    return MapBytes(round(voxel_map.nbytes / voxels, 1), growth)
