"""What happened to the ids of objects, in words: which became part of another one, which were split off."""

from __future__ import annotations

from collections.abc import Iterable

from rgbd_perception.mapping import MapObject


class ObjectNews:
    """Compares the objects of each call with those of earlier ones. Ids never shown are passed over."""

    def __init__(self) -> None:
        self._shown: set[int] = set()

    def lines(self, objects: Iterable[MapObject]) -> list[str]:
        """One line for each merge and split since the last call."""
        objects = list(objects)
        news = [
            f"object {old} is part of object {item.id} ({item.label}) from now on"
            for item in objects
            for old in item.merged
            if old in self._shown
        ]
        news += [
            f"object {item.id} ({item.label}) was split from object {item.split_from}"
            for item in objects
            if item.id not in self._shown and item.split_from in self._shown
        ]
        self._shown -= {old for item in objects for old in item.merged}
        self._shown |= {item.id for item in objects}
        return news
