"""How many voxels and shared embeddings fit into the memory that a map may take.

All arrays have their full size from the start (in address space, not in memory), so the ceiling holds by
construction: nothing has to be watched while the map grows.
"""

from __future__ import annotations

from dataclasses import dataclass

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.block_lists import most_bytes
from rgbd_perception.mapping.blocks import FIRST_BLOCKS
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.hash_index import FIRST_SLOTS
from rgbd_perception.mapping.nearest_classes import BYTES_PER_ROW

_WIDEST_EMBEDDING = 1024
"""Numbers of the largest embeddings that the basis of the subspace is reserved for."""
_KEY, _WEIGHT, _COLOR, _LAST_SEEN, _MISSES, _FEATURE_AT = 8, 2, 3, 4, 1, 4
_EVIDENCE_SLOT = 2 + 1
_HASH_SLOT, _HASH_SLOTS_PER_VOXEL = 4, 1.2
_FREE_LIST = 4
_TRACKED = 8
"""What objects are recognised by, if all voxels belong to some."""
_BLOCK = 64 + 8 + 4
"""Bits, key, place in the list of free blocks."""
_VOXELS_PER_ENTRY = 2
"""What questions read of the map has an entry for every second voxel at most (in rooms for every sixth).
Where that is not enough they look at the voxels themselves."""
_BLOCK_HASH_SLOT = 12
_BLOCK_HASH = 4 * _BLOCK_HASH_SLOT
"""Its table is between a quarter and half full."""
_VOXELS_PER_BLOCK = 16
"""Surfaces have 60 and more; where voxels are scattered more thinly, the most thinly scattered go first."""
_SMALLEST, _MANY = 10_000, 1_000_000


@dataclass(frozen=True)
class Budget:
    """Most voxels, most embeddings that they share, most blocks of 8 x 8 x 8 that they lie in, and most bytes
    for what questions read of them."""

    voxels: int
    feature_rows: int
    blocks: int
    contents_bytes: int


def budget(config: MapConfig) -> Budget:
    """What the options allow. Raises UserError where that is next to nothing."""
    voxels = config.max_voxels
    if config.max_map_bytes:
        if config.storage == "exact":
            raise UserError("max_map_bytes needs storage compact: exact embeddings have no size known before")
        fitting = int((config.max_map_bytes - fixed_bytes(config)) / bytes_per_voxel(config))
        if fitting < _SMALLEST:
            least = fixed_bytes(config) + _SMALLEST * bytes_per_voxel(config)
            raise UserError(
                f"max_map_bytes {config.max_map_bytes} holds no map: expected at least {least:.0f} "
                "(fewer with smaller hot_voxels), or 0 for no limit"
            )
        voxels = min(voxels, fitting)
    blocks = max(voxels // _VOXELS_PER_BLOCK, FIRST_BLOCKS)
    contents = most_bytes(voxels, voxels // _VOXELS_PER_ENTRY, blocks)
    return Budget(voxels, -(-voxels // config.feature_sharing), blocks, contents)


def bytes_per_voxel(config: MapConfig) -> float:
    """Bytes of all arrays that grow with the number of voxels, in the compact storage."""
    own = (
        _KEY + _WEIGHT + _COLOR + _LAST_SEEN + _MISSES + _FEATURE_AT + config.evidence_slots * _EVIDENCE_SLOT
    )
    # With its users, its place in a list and its nearest classes.
    shared = (config.feature_dims + 4 + 4 + BYTES_PER_ROW) / config.feature_sharing
    blocks = (_BLOCK + _BLOCK_HASH) / _VOXELS_PER_BLOCK
    contents = most_bytes(_MANY, _MANY // _VOXELS_PER_ENTRY, _MANY // _VOXELS_PER_BLOCK) / _MANY
    return own + contents + _FREE_LIST + _TRACKED + _HASH_SLOT * _HASH_SLOTS_PER_VOXEL + shared + blocks


def fixed_bytes(config: MapConfig) -> int:
    """Bytes of what has the same size in every map: embeddings of voxels in view, their basis, the first
    blocks."""
    slots = config.hot_voxels * (2 * config.feature_dims + 12)
    blocks = FIRST_BLOCKS * _BLOCK + FIRST_SLOTS * _BLOCK_HASH_SLOT + most_bytes(0, 0, FIRST_BLOCKS)
    return slots + 4 * config.feature_dims * _WIDEST_EMBEDDING + blocks
