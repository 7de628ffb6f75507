"""Which classes are nearest to each shared row: noted by the queries that work it out, for those that follow.

A row never changes while it is used, and the classes only with the vocabulary. So what is nearest to a row is
worked out once. The numbers of the classes are kept, not the cosines: two numbers take four bytes, and two
cosines are quickly worked out again, exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

NOT_NOTED = np.uint32(0)
BYTES_PER_ROW = 4
MOST_CLASSES = (1 << 16) - 1


class _Noted(NamedTuple):
    classes: NDArray[np.float32]
    pairs: NDArray[np.uint32]


class NearestClasses:
    """For each row of SharedRows the nearest class and the one after it, as ``packed_pair`` gives them.

    Queries read and write notes of the rows that they read, at any time and several at once: they write the
    same. Only what a row that nobody reads has noted is ever taken back.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._noted: _Noted | None = None

    def to(self, classes: NDArray[np.float32]) -> NDArray[np.uint32] | None:
        """Notes (R,) for classes with these coordinates (C, d), to be read and added to; None where so many
        classes cannot be noted, or none.

        Other coordinates than last time, for want of directions or of another vocabulary, begin anew.
        """
        if not 0 < classes.shape[0] <= MOST_CLASSES:
            return None
        noted = self._noted
        if noted is None or not np.array_equal(noted.classes, classes):
            # Replaced, not cleared: a query for the old classes may still be under way.
            noted = _Noted(classes, np.zeros(self._rows, np.uint32))
            self._noted = noted
        return noted.pairs

    def forget(self, rows: NDArray[np.int32]) -> None:
        """These rows, which nobody reads, have been written anew."""
        if self._noted is not None:
            self._noted.pairs[rows] = NOT_NOTED


@kernel(forceinline=True)
def packed_pair(nearest: int, next_nearest: int) -> int:
    """Two class numbers as one, written and read at once by whatever thread; -1 for none."""
    return np.uint32(nearest + 1) | (np.uint32(next_nearest + 1) << np.uint32(16))


@kernel(forceinline=True)
def unpacked_pair(pair: int) -> tuple[int, int]:
    """What ``packed_pair`` was given."""
    return np.int64(pair & np.uint32(MOST_CLASSES)) - 1, np.int64(pair >> np.uint32(16)) - 1
