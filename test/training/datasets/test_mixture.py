"""Mixing data sets: fractions, classes by name, and an order that only the seed decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.mixture import Mixture, Part, SampleOrder
from rgbd_perception.training.datasets.views import IGNORED
from test.training.datasets.made import MadeViews

CLASSES = ("wall", "floor", "chair")


def mixture() -> Mixture:
    return Mixture(
        [
            Part(MadeViews("first", CLASSES, 12)),
            Part(MadeViews("second", CLASSES[:2], 40), 0.25),
            Part(MadeViews("third", ("chair", "dog", "wall"), 7), 0.5),
        ]
    )


@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 10_000))
def test_an_epoch_has_so_much_of_each_and_nothing_twice(seed: int, epoch: int) -> None:
    mixed = mixture()
    order = mixed.epoch(seed, epoch)
    assert len(order) == mixed.epoch_length == 12 + 10 + 4
    assert len(np.unique(order)) == len(order)
    parts = [mixed.locate(int(index))[0] for index in order]
    assert np.bincount(parts).tolist() == [12, 10, 4]
    assert np.array_equal(order, mixture().epoch(seed, epoch))


def test_every_epoch_draws_another_subset_and_in_time_all() -> None:
    mixed = mixture()
    drawn = [frozenset(mixed.epoch(0, epoch).tolist()) for epoch in range(40)]
    assert len(set(drawn)) > 30
    assert frozenset.union(*drawn) == frozenset(range(len(mixed)))
    assert not np.array_equal(mixed.epoch(0, 0), mixed.epoch(1, 0))


def test_batches_mix_the_data_sets() -> None:
    parts = [mixture().locate(int(index))[0] for index in mixture().epoch(3, 0)]
    assert parts != sorted(parts)


def test_classes_are_found_by_their_names() -> None:
    mixed = mixture()
    same = mixed.view(12)
    assert same.name == "second:0"
    assert same.semantic[:, 0].tolist() == [IGNORED, 0, 1]
    renamed = mixed.view(12 + 40)
    assert renamed.semantic[:, 0].tolist() == [IGNORED, 2, IGNORED, 0]
    assert mixed.info.classes == CLASSES
    assert mixed.info.name == "first+second+third"


@given(position=st.integers(0, 500))
def test_a_sample_and_its_random_numbers_follow_from_its_position(position: int) -> None:
    order, other = SampleOrder(mixture(), 5), SampleOrder(mixture(), 5)
    for earlier in range(0, position, 97):
        order.index(earlier)
        order.rng(earlier).random()
    assert order.index(position) == other.index(position)
    assert order.rng(position).random() == other.rng(position).random()


def test_positions_run_through_the_epochs() -> None:
    order = SampleOrder(mixture(), 0)
    length = order.epoch_length
    assert [order.index(length + place) for place in range(length)] == mixture().epoch(0, 1).tolist()
    values = {order.rng(position).random() for position in range(3 * length)}
    assert len(values) == 3 * length


def test_bad_fractions_are_refused() -> None:
    for fraction in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(UserError, match="fraction of first"):
            Part(MadeViews("first", CLASSES, 2), fraction)
    with pytest.raises(UserError, match="at least one data set"):
        Mixture([])
    with pytest.raises(IndexError):
        mixture().view(1000)
