"""Decay: what was not seen for long is forgotten, wherever it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.store import VoxelStore

_ROWS_A_FRAME = 1 << 14
"""Rows that one frame looks at (about 20 microseconds): the cost does not grow with the map."""
_NEVER_S = 1e9
"""Longer than any map lives, for who says infinity."""


def forgotten(store: VoxelStore, stamp_ns: int, phase: int, after_s: float) -> NDArray[np.int32]:
    """Rows of voxels that were last measured more than ``after_s`` before ``stamp_ns``, to be removed.

    The rows take turns: ``phase`` (frame number) says whose it is. Carving proves that a thing has gone;
    this is for robots that would rather not know than believe what was true an hour ago, in places where
    things change while nobody looks.
    """
    turns = -(-store.rows_used // _ROWS_A_FRAME)
    first = phase % max(turns, 1) * _ROWS_A_FRAME
    part = slice(first, min(first + _ROWS_A_FRAME, store.rows_used))
    oldest = max(store.time_of(stamp_ns) - round(min(after_s, _NEVER_S) * 1e3), 0)
    old = (store.key[part] != NO_KEY) & (store.last_seen[part] < oldest)
    return (np.flatnonzero(old) + first).astype(np.int32)
