"""Merges and splits are told once, to whom they concern."""

from __future__ import annotations

from rgbd_perception.mapping import MapObject
from rgbd_perception.ros.object_news import ObjectNews


def _chair(number: int, merged: tuple[int, ...] = (), split_from: int = 0) -> MapObject:
    return MapObject(
        number, "chair", 1.0, (0, 0, 0), (1, 1, 1), 0.0, "map", 10, merged=merged, split_from=split_from
    )


def test_merges_and_splits_are_told_once():
    news = ObjectNews()
    assert news.lines([_chair(1), _chair(2)]) == []
    merged = [_chair(1, merged=(2,))]
    assert news.lines(merged) == ["object 2 is part of object 1 (chair) from now on"]
    assert news.lines(merged) == []
    split = [*merged, _chair(3, split_from=1)]
    assert news.lines(split) == ["object 3 (chair) was split from object 1"]
    assert news.lines(split) == []


def test_what_was_never_shown_is_no_news():
    news = ObjectNews()
    assert news.lines([_chair(4, merged=(2, 3)), _chair(5, split_from=1)]) == []
