"""Saving a growing map now and then, without ROS: in the background, of one instant between two frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.voxel_map import VoxelMap


class Autosave:
    """Whoever maps calls ``between_frames`` after every frame; it never waits for the disk.

    interval_s  least time between the starts of two saves; 0: never. A save that is still being written when
                the next is due puts that one off, so a slow disk makes them rarer and not late.
    failed      told in one line why a save failed, in the thread that writes; mapping goes on
    """

    def __init__(
        self, voxel_map: VoxelMap, path: Path, interval_s: float, failed: Callable[[str], object]
    ) -> None:
        self._map = voxel_map
        self._path = path
        self._interval_s = interval_s
        self._failed = failed
        self._last = time.monotonic()
        self._writer: threading.Thread | None = None

    def between_frames(self) -> bool:
        """Begin a save if one is due; whether one was begun."""
        now = time.monotonic()
        busy = self._writer is not None and self._writer.is_alive()
        if self._interval_s <= 0 or busy or now - self._last < self._interval_s:
            return False
        self._last = now
        self._writer = threading.Thread(target=self._write, args=(self._map.begin_save(self._path),))
        self._writer.start()
        return True

    def wait(self) -> None:
        """Until what was begun is on the disk."""
        if self._writer is not None:
            self._writer.join()

    def _write(self, write: Callable[[], int]) -> None:
        try:
            write()
        except UserError as error:
            self._failed(f"autosave failed: {error}")
