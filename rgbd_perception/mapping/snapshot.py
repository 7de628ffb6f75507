"""Reading a map that is being written: the state of one instant, without copying it.

A snapshot keeps no copy of the map. Whoever changes rows first hands their old contents to the snapshots that
are open (each row at most once each), and a reader goes through the live columns block by block, holding the
lock for one block at a time, and puts the kept rows in place of the changed ones. So a reader sees one
instant, the lock is held for about a millisecond, and the cost for the writer is a copy of the rows that it
changes anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.keys import NO_KEY

if TYPE_CHECKING:
    from rgbd_perception.mapping.feature_readers import FeatureReader
    from rgbd_perception.mapping.store import VoxelStore

BLOCK_ROWS = 4096
_GATHERED_ROWS = 1 << 16
Columns = dict[str, NDArray[Any]]


class Snapshot:
    """The rows of a store as they were when the snapshot was taken.

    To be made while holding ``lock``. The columns that the store has at that time are
    held too, so one that is replaced later stays readable. ``features`` reads the embeddings of that instant.
    """

    def __init__(
        self, store: VoxelStore, lock: threading.Lock, features: FeatureReader | None = None
    ) -> None:
        self.features = features
        self.weight_unit = np.float32(store.precision.weight.unit)
        self._lock = lock
        self.rows = store.rows_used
        self.voxels = len(store)
        self._columns = dict(store.columns)
        self._is_kept = np.zeros(self.rows, bool)
        self._keeps_others = True
        self.is_open = True
        self._kept: list[tuple[NDArray[np.int32], Columns]] = []
        store.attach(self)

    def close(self) -> None:
        """Stop keeping rows; the snapshot cannot be read any more.

        Waits for nobody: the store lets go of it with the next change.
        """
        self.is_open = False
        self._kept = []

    def keep_only(self, rows: NDArray[np.int32]) -> None:
        """No others will be read than these, and embeddings (under the lock): a frame then has nothing to
        copy."""
        self.keep(rows)
        self._keeps_others = False

    def keep(self, rows: NDArray[np.int32]) -> None:
        """Copy these rows unless that was done before (called by the store, under the lock)."""
        if not self._keeps_others:
            return
        rows = rows[(rows >= 0) & (rows < self.rows)]
        rows = np.sort(rows[~self._is_kept[rows]])
        if rows.size:
            self._is_kept[rows] = True
            self._kept.append((rows, {name: column[rows] for name, column in self._columns.items()}))

    def weights(self, block: Columns) -> NDArray[np.float32]:
        """The column ``weight`` of a block as observations."""
        return block["weight"].astype(np.float32) * self.weight_unit

    def column(self, name: str) -> tuple[tuple[int, ...], Any] | None:
        """(shape of one row, dtype) of a column, or None where the map had no such column."""
        column = self._columns.get(name)
        return None if column is None else (column.shape[1:], column.dtype)

    def blocks(
        self, read: Callable[[Columns], tuple[NDArray[Any], ...]], rows: int = BLOCK_ROWS
    ) -> Iterator[tuple[int, tuple[NDArray[Any], ...]]]:
        """Yield (first row, results) for consecutive blocks of rows.

        ``read`` gets the columns of n rows and returns arrays of its own with n rows each; it runs under the
        lock, so it must be quick, and result i may depend on row i only.
        """
        for first in range(0, self.rows, rows):
            last = min(first + rows, self.rows)
            with self._lock:
                results = read({name: column[first:last] for name, column in self._columns.items()})
                for places, columns in self._changed(first, last):
                    for result, old in zip(results, read(columns), strict=True):
                        result[places] = old
            yield first, results

    def fill(
        self,
        write: Callable[[Columns, Sequence[NDArray[Any]]], None],
        results: Sequence[NDArray[Any]],
        rows: int = BLOCK_ROWS,
    ) -> None:
        """Like ``blocks`` for results that have their place: arrays with a row for each row of the snapshot.

        ``write`` gets the columns of n rows and the parts of the results with n rows each to write to.
        """
        for first in range(0, self.rows, rows):
            last = min(first + rows, self.rows)
            parts = [result[first:last] for result in results]
            with self._lock:
                write({name: column[first:last] for name, column in self._columns.items()}, parts)
                for places, columns in self._changed(first, last):
                    old = [np.empty((places.size, *part.shape[1:]), part.dtype) for part in parts]
                    write(columns, old)
                    for part, values in zip(parts, old, strict=True):
                        part[places] = values

    def pick(
        self, read: Callable[[Columns], tuple[NDArray[Any], ...]], rows: int = BLOCK_ROWS
    ) -> tuple[NDArray[Any], ...]:
        """Rows (k,), ascending, that ``read`` picks, and what it returns for them.

        ``read`` gets the columns of n rows and returns the numbers (k,) of those it picks, ascending, and
        arrays of its own with k rows each; it runs under the lock, so it must be quick. It must pass over
        rows without a key.
        """
        parts: list[tuple[NDArray[Any], ...]] = []
        for first in range(0, max(self.rows, 1), rows):
            last = min(first + rows, self.rows)
            with self._lock:
                block = {name: column[first:last] for name, column in self._columns.items()}
                changed = list(self._changed(first, last))
                if changed:
                    block["key"] = block["key"].copy()
                    for places, _ in changed:
                        block["key"][places] = NO_KEY
                found, *values = read(block)
                parts.append((found + first, *values))
                for places, columns in changed:
                    found, *values = read(columns)
                    parts.append((places[found] + first, *values))
        picked, *joined = (np.concatenate(column) for column in zip(*parts, strict=True))
        if np.all(picked[1:] > picked[:-1]):
            return picked, *joined
        order = np.argsort(picked, kind="stable")
        return picked[order], *(column[order] for column in joined)

    def _changed(self, first: int, last: int) -> Iterator[tuple[NDArray[np.int32], Columns]]:
        """Places in the block of rows that have changed since, and their columns as they were."""
        for kept_rows, images in self._kept:
            low, high = np.searchsorted(kept_rows, (first, last))
            if low < high:
                yield (
                    kept_rows[low:high] - first,
                    {name: image[low:high] for name, image in images.items()},
                )

    def gather(self, rows: NDArray[np.int64], names: tuple[str, ...]) -> Columns:
        """Copies of the named columns at ``rows``, a block at a time."""
        parts: list[Columns] = []
        for first in range(0, max(rows.size, 1), _GATHERED_ROWS):
            with self._lock:
                parts.append(self._gather_block(rows[first : first + _GATHERED_ROWS], names))
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _gather_block(self, rows: NDArray[np.int64], names: tuple[str, ...]) -> Columns:
        block = {name: np.take(self._columns[name], rows, axis=0) for name in names}
        changed = np.flatnonzero(self._is_kept[rows])
        for kept_rows, images in self._kept if changed.size else ():
            place = np.searchsorted(kept_rows, rows[changed])
            place[place == kept_rows.size] = 0
            found = kept_rows[place] == rows[changed]
            for name in names:
                block[name][changed[found]] = images[name][place[found]]
        return block

    def read_all(self, names: tuple[str, ...]) -> Columns:
        """Copies of the named columns of all voxels (free rows left out), plus ``row``, their row numbers."""
        parts: list[tuple[NDArray[Any], ...]] = []
        for first, (key, *columns) in self.blocks(
            lambda block: (block["key"].copy(), *(block[name].copy() for name in names))
        ):
            live = np.flatnonzero(key != NO_KEY)
            parts.append((live + first, *(column[live] for column in columns)))
        if not parts:
            empty = {name: self._columns[name][:0].copy() for name in names}
            return {"row": np.empty(0, np.int64), **empty}
        joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return dict(zip(("row", *names), joined, strict=True))
