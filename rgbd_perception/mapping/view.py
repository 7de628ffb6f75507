"""A map of one instant, as those who ask it something see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.block_contents import Blocks
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.keys import centers
from rgbd_perception.mapping.snapshot import Snapshot
from rgbd_perception.mapping.threads import Runner, run_in_turn


@dataclass(frozen=True)
class MapView:
    """What its voxels are (``snapshot``), what they mean (``header``, ``config``), who shares the work
    (``run``), and what its ``blocks`` hold, where that is known."""

    snapshot: Snapshot
    header: MapHeader
    config: MapConfig
    run: Runner = run_in_turn
    blocks: Blocks | None = None

    def centers(self, keys: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,) keys -> (n, 3) centres of the voxels in metres, map frame."""
        return centers(keys, self.header.voxel_size)
