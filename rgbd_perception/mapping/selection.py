"""The value of a rank among many, by counting: partitioning spends its time on guesses of the processor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

_BINS = 256
NO_NAN = {"nnan", "nsz"}
"""What the compiler may take for granted so that it finds the least of several numbers at once."""


@kernel(fastmath=True)
def ranked_values(values: NDArray[np.floating], low_rank: int, high_rank: int) -> tuple[float, float]:
    """The values (n,) that would stand at two places (from 0 on) if all were sorted; n >= 1, all finite."""
    least, largest = values[0], values[0]
    for value in values:
        least, largest = min(least, value), max(largest, value)
    if not largest > least:
        return least, largest
    scale = (_BINS - 1) / (largest - least)
    counts = np.zeros(_BINS, np.int64)
    bins = np.empty(values.size, np.uint8)
    for i in range(values.size):
        bins[i] = np.uint8((values[i] - least) * scale)
        counts[bins[i]] += 1
    return _in_bin(values, bins, counts, low_rank), _in_bin(values, bins, counts, high_rank)


@kernel(fastmath=True)
def _in_bin(
    values: NDArray[np.floating], bins: NDArray[np.uint8], counts: NDArray[np.int64], rank: int
) -> float:
    """Bins follow each other as their values do: only those of one bin are partitioned."""
    chosen = 0
    while rank >= counts[chosen]:
        rank -= counts[chosen]
        chosen += 1
    inside = np.empty(counts[chosen], values.dtype)
    found = 0
    for i in range(values.size):
        if bins[i] == chosen:
            inside[found] = values[i]
            found += 1
    return np.partition(inside, rank)[rank]


@kernel
def ranked_by_weight(
    values: NDArray[np.floating], weights: NDArray[np.integer], low_rank: int, high_rank: int
) -> tuple[float, float]:
    """The values that would stand at two places if all were sorted, each of ``values`` (n,) as many times as
    ``weights`` (n,) say; n >= 1, all finite."""
    bins, sums = np.empty(values.size, np.uint8), np.empty(_BINS, np.int64)
    if not _weigh(values, weights, bins, sums):
        return values[0], values[0]
    low, low_weights, low_rank = _of_rank(values, weights, bins, sums, low_rank)
    high, high_weights, high_rank = _of_rank(values, weights, bins, sums, high_rank)
    return value_of_rank(low, low_weights, low_rank), value_of_rank(high, high_weights, high_rank)


@kernel
def value_of_rank(values: NDArray[np.floating], weights: NDArray[np.integer], rank: int) -> float:
    """The value at one such place."""
    bins, sums = np.empty(values.size, np.uint8), np.empty(_BINS, np.int64)
    while _weigh(values, weights, bins, sums):
        values, weights, rank = _of_rank(values, weights, bins, sums, rank)
    return values[0]


@kernel(fastmath=NO_NAN)
def _weigh(
    values: NDArray[np.floating],
    weights: NDArray[np.integer],
    bins: NDArray[np.uint8],
    sums: NDArray[np.int64],
) -> bool:
    """Put each value into a bin and add up the weights in each; False where there is only one value."""
    least, largest = values[0], values[0]
    for value in values:
        least, largest = min(least, value), max(largest, value)
    if not largest > least:
        return False
    scale = (_BINS - 1) / (largest - least)
    sums[:] = 0
    for i in range(values.size):
        bins[i] = np.uint8((values[i] - least) * scale)
        sums[bins[i]] += weights[i]
    return True


@kernel
def _of_rank(
    values: NDArray[np.floating],
    weights: NDArray[np.integer],
    bins: NDArray[np.uint8],
    sums: NDArray[np.int64],
    rank: int,
) -> tuple[NDArray[np.floating], NDArray[np.integer], int]:
    """The values and weights of the bin that the rank falls into, and the rank among them.

    They are fewer than all: the least and the largest value are in different bins.
    """
    chosen = 0
    while rank >= sums[chosen]:
        rank -= sums[chosen]
        chosen += 1
    inside, own = np.empty(values.size, values.dtype), np.empty(values.size, weights.dtype)
    found = 0
    for i in range(values.size):  # without a branch, which nobody could foresee
        inside[found], own[found] = values[i], weights[i]
        found += bins[i] == chosen
    return inside[:found], own[:found], rank
