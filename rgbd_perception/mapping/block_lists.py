"""The lists of what lies in the blocks of a map, and how they are kept in arrays without many gaps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.blocks import SIDE
from rgbd_perception.mapping.jit import kernel

HALVES = 2
WORDS = SIDE // HALVES
_SPARE, _SPARE_SHARE = 1 << 12, 1 / 32
"""So many entries and codes more than are needed now, and this share of them, have room: gaps are closed when
it is used up."""


class Lists(NamedTuple):
    """Half ``h`` of block ``b`` has number 2 b + h: words 4 h to 4 h + 3 of its bits.

    Its list is ``embeddings`` and ``classes`` (the usual slot of those that share one, 0: none) from
    ``list_at`` on, ``list_size`` long; the bytes of its voxels, in the order of their bits, are ``codes``
    from ``code_at`` on, ``code_size`` of them. Embedding 0: not well observed. ``last_seen`` is the latest of
    the well observed ones.
    """

    list_at: NDArray[np.int32]
    list_size: NDArray[np.uint16]
    code_at: NDArray[np.int32]
    code_size: NDArray[np.uint16]
    last_seen: NDArray[np.uint32]
    embeddings: NDArray[np.uint32]
    classes: NDArray[np.unsignedinteger]
    codes: NDArray[np.uint8]


def most_bytes(voxels: int, entries: int, blocks: int) -> int:
    """Of the contents of so many blocks with so many voxels and entries in their lists."""
    of_lists = with_spare(entries) * (4 + 2) + with_spare(voxels)
    return of_lists + blocks * (4 + HALVES * (4 + 2 + 4 + 2 + 4))


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
        target = HALVES * numbers[half // HALVES] + half % HALVES
        size, count = fresh.list_size[half], fresh.code_size[half]
        if size > lists.list_size[target]:
            lists.list_at[target] = used[0]
            used[0] += size
        if count > lists.code_size[target]:
            lists.code_at[target] = used[1]
            used[1] += count
        lists.list_size[target], lists.code_size[target] = size, count
        lists.last_seen[target] = fresh.last_seen[half]
        for i in range(size):
            entry = lists.list_at[target] + i
            lists.embeddings[entry] = fresh.embeddings[starts[half] + i]
            lists.classes[entry] = fresh.classes[starts[half] + i]
        for i in range(count):
            lists.codes[lists.code_at[target] + i] = fresh.codes[starts[half] + i]


@kernel
def count_appended(numbers: NDArray[np.int64], fresh: Lists, lists: Lists, more: NDArray[np.int64]) -> None:
    """Add up the entries and the codes that ``put_lists`` will write behind the others."""
    for half in range(HALVES * numbers.size):
        target = HALVES * numbers[half // HALVES] + half % HALVES
        if fresh.list_size[half] > lists.list_size[target]:
            more[0] += fresh.list_size[half]
        if fresh.code_size[half] > lists.code_size[target]:
            more[1] += fresh.code_size[half]


@kernel
def close_gaps(
    lists: Lists,
    embeddings: NDArray[np.uint32],
    classes: NDArray[np.unsignedinteger],
    codes: NDArray[np.uint8],
) -> None:
    """Copy what is in use to the front of other arrays."""
    entry, place = 0, 0
    for half in range(lists.list_size.size):
        for i in range(lists.list_size[half]):
            embeddings[entry + i] = lists.embeddings[lists.list_at[half] + i]
            classes[entry + i] = lists.classes[lists.list_at[half] + i]
        for i in range(lists.code_size[half]):
            codes[place + i] = lists.codes[lists.code_at[half] + i]
        lists.list_at[half], lists.code_at[half] = entry, place
        entry += lists.list_size[half]
        place += lists.code_size[half]
