"""The lists of what lies in the blocks of a map, and how they are kept in arrays without many gaps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.blocks import SIDE
from rgbd_perception.mapping.jit import kernel

HALVES = 2
WORDS = SIDE // HALVES
_SPARE, _SPARE_SHARE = 1 << 12, 1 / 32
"""So many entries and codes more than are needed now, and this share of them, have room: gaps are closed when
it is used up."""


HALF = np.dtype(
    [
        ("list_at", np.int32),
        ("code_at", np.int32),
        ("list_size", np.uint16),
        ("code_size", np.uint16),
    ]
)
"""What is known of half a block, side by side in memory: whoever needs one of these needs the others."""


class Lists(NamedTuple):
    """Half ``h`` of block ``b`` has number 2 b + h: words 4 h to 4 h + 3 of its bits. ``halves`` (n,) HALF.

    Its list is ``embeddings`` and ``classes`` (the usual slot of those that share one, 0: none) from
    ``list_at`` on, ``list_size`` long; the bytes of its voxels, in the order of their bits, are ``codes``
    from ``code_at`` on, ``code_size`` of them. Embedding 0: not well observed.
    """

    halves: NDArray[Any]
    embeddings: NDArray[np.uint32]
    classes: NDArray[np.unsignedinteger]
    codes: NDArray[np.uint8]


def most_bytes(voxels: int, entries: int, blocks: int) -> int:
    """Of the contents of so many blocks with so many voxels and entries in their lists."""
    of_lists = with_spare(entries) * (4 + 2) + with_spare(voxels)
    return of_lists + blocks * (5 + HALVES * (HALF.itemsize + 4))


def with_spare(count: int) -> int:
    return count + int(_SPARE_SHARE * count) + _SPARE


@kernel
def put_lists(
    numbers: NDArray[np.int64],
    starts: NDArray[np.int64],
    fresh: Lists,
    lists: Lists,
    used: NDArray[np.int64],
) -> None:
    """Write the ``fresh`` lists, whose voxels begin at ``starts``, in place of the old ones where they are
    not longer, else behind all others."""
    for half in range(HALVES * numbers.size):
        own, target = fresh.halves[half], lists.halves[HALVES * numbers[half // HALVES] + half % HALVES]
        if own.list_size > target.list_size:
            target.list_at = used[0]
            used[0] += own.list_size
        if own.code_size > target.code_size:
            target.code_at = used[1]
            used[1] += own.code_size
        target.list_size, target.code_size = own.list_size, own.code_size
        for i in range(own.list_size):
            lists.embeddings[target.list_at + i] = fresh.embeddings[starts[half] + i]
            lists.classes[target.list_at + i] = fresh.classes[starts[half] + i]
        for i in range(own.code_size):
            lists.codes[target.code_at + i] = fresh.codes[starts[half] + i]


@kernel
def count_appended(numbers: NDArray[np.int64], fresh: Lists, lists: Lists, more: NDArray[np.int64]) -> None:
    """Add up the entries and the codes that ``put_lists`` will write behind the others."""
    for half in range(HALVES * numbers.size):
        own, target = fresh.halves[half], lists.halves[HALVES * numbers[half // HALVES] + half % HALVES]
        if own.list_size > target.list_size:
            more[0] += own.list_size
        if own.code_size > target.code_size:
            more[1] += own.code_size


@kernel
def close_gaps(
    lists: Lists,
    embeddings: NDArray[np.uint32],
    classes: NDArray[np.unsignedinteger],
    codes: NDArray[np.uint8],
) -> None:
    """Copy what is in use to the front of other arrays."""
    entry, place = 0, 0
    for number in range(lists.halves.size):
        half = lists.halves[number]
        for i in range(half.list_size):
            embeddings[entry + i] = lists.embeddings[half.list_at + i]
            classes[entry + i] = lists.classes[half.list_at + i]
        for i in range(half.code_size):
            codes[place + i] = lists.codes[half.code_at + i]
        half.list_at, half.code_at = entry, place
        entry += half.list_size
        place += half.code_size
