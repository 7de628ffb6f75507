"""Values of a rank against sorting."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.mapping.selection import ranked_by_weight, ranked_values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", ["even", "few values", "one value", "an outlier"])
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_values_are_those_of_the_sorted(dtype, spread, count):
    random = np.random.default_rng(count)
    values = {
        "even": random.random(count),
        "few values": random.integers(0, 4, count) - 1.5,
        "one value": np.full(count, -0.7),
        "an outlier": np.append(random.random(count - 1), 1e6),
    }[spread].astype(dtype)
    ordered = np.sort(values)
    for low in (0, count // 50, count // 2):
        assert ranked_values(values, low, count - 1 - low) == (ordered[low], ordered[count - 1 - low])


@pytest.mark.parametrize("spread", ["even", "few values", "an outlier"])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_weights_stand_for_repeated_values(spread, count):
    random = np.random.default_rng(count)
    values = {
        "even": random.random(count),
        "few values": random.integers(0, 4, count) - 1.5,
        "an outlier": np.append(random.random(count - 1), 1e6),
    }[spread]
    weights = random.integers(1, 50, count)
    ordered = np.sort(np.repeat(values, weights))
    last = ordered.size - 1
    for low in (0, last // 50, last // 2):
        found = ranked_by_weight(values, weights, low, last - low)
        assert found == (ordered[low], ordered[last - low])
