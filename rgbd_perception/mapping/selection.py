"""The value of a rank among many, by counting: partitioning spends its time on guesses of the processor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

_BINS = 256


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
def ranked_by_weight(values: NDArray[np.float64], weights: NDArray[np.int64], rank: int) -> float:
    """The value that would stand at the place ``rank`` if all were sorted, each of ``values`` (n,) as many
    times as ``weights`` (n,) say; n >= 1, all finite."""
    while True:
        least, largest = values[0], values[0]
        for value in values:
            least, largest = min(least, value), max(largest, value)
        if not largest > least:
            return least
        scale = (_BINS - 1) / (largest - least)
        sums = np.zeros(_BINS, np.int64)
        bins = np.empty(values.size, np.uint8)
        for i in range(values.size):
            bins[i] = np.uint8((values[i] - least) * scale)
            sums[bins[i]] += weights[i]
        chosen = 0
        while rank >= sums[chosen]:
            rank -= sums[chosen]
            chosen += 1
        inside = bins == chosen  # fewer than all: the least and the largest are in different bins
        values, weights = values[inside], weights[inside]
