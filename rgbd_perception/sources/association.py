"""Pairs of nearest stamps of two streams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pair_nearest(first: NDArray[np.int64], second: NDArray[np.int64], slop_ns: int) -> NDArray[np.int64]:
    """For each stamp of ``first`` the index of its partner in ``second``, -1 where it has none.

    Partners are each other's nearest (so none is used twice) and at most ``slop_ns`` apart. Both arrays of
    nanoseconds are sorted; of equally near ones the earlier wins.
    """
    partners = np.full(len(first), -1, dtype=np.int64)
    if not len(first) or not len(second):
        return partners
    nearest = _nearest(first, second)
    mutual = _nearest(second, first)[nearest] == np.arange(len(first))
    close = np.abs(second[nearest] - first) <= slop_ns
    partners[mutual & close] = nearest[mutual & close]
    return partners


def _nearest(stamps: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index into the sorted ``among`` of the value nearest to each stamp."""
    after = np.clip(np.searchsorted(among, stamps), 1, max(1, len(among) - 1))
    before = after - 1
    after = np.minimum(after, len(among) - 1)
    return np.where(np.abs(among[before] - stamps) <= np.abs(among[after] - stamps), before, after)
