"""The rows of a map: which voxel lives in which row, and the columns that describe it.

Columns are reserved for ``capacity`` rows at once and filled from the front. The system commits memory only
for pages that were written, so an empty map is small, growing never copies, and the cost of an update does
not depend on how much is there. A row keeps its number as long as its voxel lives; a free row is all zero.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.blocks import BlockIndex
from rgbd_perception.mapping.header import MILLISECOND
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.quantities import PRECISIONS, Precision
from rgbd_perception.mapping.row_index import RowIndex, put_voxel
from rgbd_perception.mapping.snapshot import Snapshot

_SECOND = 1000 * MILLISECOND
_DAY = 86_400 * _SECOND
_LATEST = np.iinfo(np.uint32).max
"""Of ``last_seen``: 49 days after the epoch, which then moves on."""
_CLOCK_RESET = 10_000
"""Milliseconds: a frame that is older than the latest by more says that the clock was set back."""


@kernel
def _insert(
    slots: NDArray[np.uint32],
    keys: NDArray[np.int64],
    row_keys: NDArray[np.int64],
    free: NDArray[np.int32],
    used: int,
    rows: NDArray[np.int32],
    fresh: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Enter the ``keys`` whose rows are not known yet (-1); freed rows are taken from the end of ``free``
    first. ``fresh`` gets those that are new. Return (rows used, free rows left, new keys)."""
    left, added = free.size, 0
    for i in range(keys.size):
        if rows[i] >= 0:
            continue
        candidate = free[left - 1] if left > 0 else used
        if candidate >= row_keys.size:
            continue
        row = put_voxel(slots, row_keys, keys[i], candidate)
        rows[i] = row
        if row == candidate:
            row_keys[row] = keys[i]
            fresh[added] = keys[i]
            added += 1
            if left > 0:
                left -= 1
            else:
                used += 1
    return used, left, added


class Watcher(Protocol):
    """Somebody who has to know which voxels go or become others without being seen, for as long as the store
    lives."""

    def mark(self, rows: NDArray[np.int32]) -> None:
        """Rows (-1: none) of voxels to which that is about to happen."""


class VoxelStore:
    """Rows and columns of all voxels. Not thread-safe: the map holds its lock around every call.

    Own columns: ``key`` int64 (packed coordinates, NO_KEY in a free row), ``weight`` (how well it was
    observed), ``color`` (3) rgb 0..255, ``last_seen`` uint32 milliseconds since ``epoch_ns``, ``occupancy``
    uint8 (frames for it less frames that saw through it, limited). ``precision`` says how weight and color
    are stored. Other columns (class evidence, embeddings) are added by the stores that fill them.
    """

    def __init__(
        self, capacity: int, precision: Precision = PRECISIONS["exact"], blocks: int | None = None
    ) -> None:
        """``capacity``: most voxels; ``blocks``: most blocks that they lie in (None: as many)."""
        self.capacity = capacity
        self.precision = precision
        self.epoch_ns = 0
        self.latest = 0
        self.columns: dict[str, NDArray[Any]] = {}
        self.blocks = BlockIndex(capacity if blocks is None else blocks)
        self.rows_used = 0
        self._free = np.empty(0, np.int32)
        self._snapshots: list[Snapshot] = []
        self._watchers: list[Watcher] = []
        self.key = self.add_column("key", (), np.int64)
        self.weight = self.add_column("weight", (), precision.weight.dtype)
        self.color = self.add_column("color", (3,), precision.color.dtype)
        self.last_seen = self.add_column("last_seen", (), np.uint32)
        self.occupancy = self.add_column("occupancy", (), np.uint8)
        self.index = RowIndex(self.key)

    def __len__(self) -> int:
        return self.rows_used - self._free.size

    @property
    def is_read(self) -> bool:
        """Whether a snapshot is open."""
        return any(snapshot.is_open for snapshot in self._snapshots)

    def add_column(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Add (or replace by zeros) a column of ``shape`` per row."""
        try:
            column = np.zeros((self.capacity, *shape), dtype)
        except MemoryError as error:
            raise UserError(
                f"not enough memory to reserve {self.capacity} voxels x {shape} {np.dtype(dtype)}: "
                "lower the map option max_voxels"
            ) from error
        self.columns[name] = column
        return column

    def insert(
        self, keys: NDArray[np.int64], known: NDArray[np.int32] | None = None
    ) -> tuple[NDArray[np.int32], int]:
        """(n,) distinct keys -> ((n,) their rows, -1 where the map is full; number of new ones).

        ``known`` (n,): rows of those that are there already, as ``index`` finds them.
        """
        rows = np.full(keys.size, -1, np.int32) if known is None else known.copy()
        placed = self.blocks.has_room_for(keys)
        if placed is not None:
            rows[placed], added = self.insert(keys[placed], rows[placed])
            return rows, added
        self.record(self._free[max(0, self._free.size - keys.size) :])
        fresh = np.empty(keys.size, np.int64)
        self.rows_used, left, added = _insert(
            self.index.slots, np.ascontiguousarray(keys), self.key, self._free, self.rows_used, rows, fresh
        )
        self._free = self._free[:left]
        full = rows < 0
        if full.any():
            rows[full] = self.index.find(keys[full])
        if added:
            self.blocks.add(fresh[:added])
        return rows, added

    def remove(self, rows: NDArray[np.int32]) -> None:
        """Free these (distinct, live) rows."""
        if rows.size == 0:
            return
        self.announce(rows)
        self.index.remove(rows)
        self.blocks.remove(self.key[rows])
        for column in self.columns.values():
            column[rows] = 0
        self.key[rows] = NO_KEY
        self._free = np.concatenate([self._free, rows.astype(np.int32)])

    def live_rows(self) -> NDArray[np.int64]:
        """Numbers of the rows that hold a voxel, ascending."""
        return np.flatnonzero(self.key[: self.rows_used] != NO_KEY)

    def weights(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Observations of the voxels in these rows."""
        return self.weight[rows].astype(np.float32) * np.float32(self.precision.weight.unit)

    def time_of(self, stamp_ns: int) -> int:
        """A stamp in the unit of ``last_seen``: the epoch is a day before the first stamp. Where 48 days have
        passed it moves on, and what was last measured before it counts as measured then. Where the clock was
        set back, what was measured later than the stamp counts as measured now."""
        if self.epoch_ns == 0:
            self.epoch_ns = stamp_ns // _SECOND * _SECOND - _DAY
        time = (stamp_ns - self.epoch_ns) // MILLISECOND
        if time > _LATEST:
            time = self._move_epoch(time)
        elif time < max(self.latest - _CLOCK_RESET, 1):
            time = self._set_clock_back(time)
        self.latest = max(self.latest, time)
        return time

    def _move_epoch(self, time: int) -> int:
        """So that now is in the middle of what ``last_seen`` can hold. Returns the time of now."""
        later = time - _LATEST // 2
        rows = self.live_rows().astype(np.int32)
        self.announce(rows)
        self.last_seen[rows] = np.maximum(self.last_seen[rows].astype(np.int64) - later, 1)
        self.latest = max(self.latest - later, 0)
        self.epoch_ns += later * MILLISECOND
        return _LATEST // 2

    def _set_clock_back(self, time: int) -> int:
        """Else what comes now would seem older than all that was there before. Returns the time of now."""
        rows = np.flatnonzero(self.last_seen[: self.rows_used] > max(time, 0)).astype(np.int32)
        self.announce(rows)
        if time < 1:  # then these are all rows
            self.epoch_ns += time * MILLISECOND - _DAY
            time = _DAY // MILLISECOND
        self.last_seen[rows] = time
        self.latest = time
        return time

    @property
    def bytes_per_row(self) -> int:
        return sum(column[0].nbytes for column in self.columns.values())

    @property
    def nbytes(self) -> int:
        """Bytes in use: all columns of the rows used so far, hash, blocks and the list of free rows."""
        indices = self.index.nbytes + self.blocks.nbytes + self._free.nbytes
        return self.rows_used * self.bytes_per_row + indices

    def attach(self, snapshot: Snapshot) -> None:
        self._snapshots.append(snapshot)

    def watch(self, watcher: Watcher) -> None:
        """Tell the ``watcher`` of what is announced from now on."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        self._watchers.remove(watcher)

    def record(self, rows: NDArray[np.int32]) -> None:
        """Must be called before rows change: keeps their present contents for the snapshots being read."""
        self._snapshots = [snapshot for snapshot in self._snapshots if snapshot.is_open]
        for snapshot in self._snapshots:
            snapshot.keep(rows)

    def announce(self, rows: NDArray[np.int32]) -> None:
        """Must be called, in place of ``record``, before voxels go, or become others without being seen."""
        self.record(rows)
        for watcher in self._watchers:
            watcher.mark(rows)
