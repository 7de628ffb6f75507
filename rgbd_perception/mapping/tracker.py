"""Names for objects that last: the instances of now are matched with those of before by shared voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.instances import Instances
from rgbd_perception.mapping.jit import kernel

_SAVED_KEYS = 8
"""Voxels by which an object of a file is recognised."""
_LEAST_SHARED = 0.25
"""Part of the smaller of two objects, before and now, that they share when they are the same."""
_MOST_SHARED = 0.5
"""Part of an object that must have gone into (come from) another one for a merge (a split)."""
_MOST_MERGED = 32
"""Ids that an object remembers of those that became part of it, the latest ones."""


@dataclass(frozen=True)
class Identity:
    """Who an object is: ``merged`` are ids of former objects that are now part of it, the latest ones last;
    ``split_from`` is the id of the object that it was once part of, 0: none."""

    id: int
    merged: tuple[int, ...] = ()
    split_from: int = 0


@dataclass(frozen=True)
class _Known:
    """What the tracker remembers of the k objects of before: who they are, how many ``voxels`` (k,) they had,
    and the ``keys`` of those voxels, or of some: those of object i are keys[starts[i] : starts[i + 1]]."""

    who: tuple[Identity, ...]
    voxels: NDArray[np.int64]
    keys: NDArray[np.int64]
    starts: NDArray[np.int64]

    def keys_of(self, index: int) -> NDArray[np.int64]:
        return self.keys[self.starts[index] : self.starts[index + 1]]


_NOBODY = _Known((), np.empty(0, np.int64), np.empty(0, np.int64), np.zeros(1, np.int64))


@dataclass(frozen=True)
class _Overlaps:
    """Pairs of an object of before and one of now with the number of voxels that they share."""

    before: NDArray[np.int64]
    now: NDArray[np.int64]
    shared: NDArray[np.float64]


class ObjectTracker:
    """Gives ids. The same calls give the same ids. Not thread-safe: the map holds a lock of its own.

    Among the objects of before that share voxels with one of now, the one that shares most gives its id (of
    equals the older one). What shares most of its voxels with an object of another id was merged into it. An
    object that falls apart leaves its id to the largest part; other parts get new ids and say what they were
    split from. An object that is too small or too uncertain for a while is remembered as long as a quarter
    of its voxels are there. Ids count up from 1 and are never used again. The class plays no part: a chair
    that turns out to be a sofa keeps its id. A thing that moved gets a new id.
    """

    def __init__(self) -> None:
        self._known = _NOBODY
        self._next_id = 1

    def forget(self) -> None:
        """Forget all objects, but not which ids were given."""
        self._known = _NOBODY

    @property
    def nbytes(self) -> int:
        """Bytes of memory for the voxels that objects are recognised by: 8 for each voxel of an object."""
        return self._known.keys.nbytes

    def update(self, instances: Instances) -> list[Identity]:
        """Who the objects of now are, in their order."""
        object_of = instances.object_of_things()
        overlaps, alive = self._overlaps(instances.bricks, object_of, instances.voxels.size)
        heirs, merged_into = self._match(overlaps, instances.voxels)
        who = self._identities(overlaps, instances.voxels, heirs, merged_into)
        taken = set(heirs.values()) | set(merged_into)
        dormant = [
            index
            for index in range(len(self._known.who))
            if index not in taken and alive[index] >= _LEAST_SHARED * self._known.voxels[index]
        ]
        self._remember(instances, who, dormant)
        return who

    def state(self) -> dict[str, Any]:
        """All that must be kept to go on with the same ids, as JSON; a few voxels stand for each object."""
        known = self._known
        return {
            "next_id": self._next_id,
            "objects": [
                {
                    "id": who.id,
                    "merged": list(who.merged),
                    "split_from": who.split_from,
                    "voxels": int(known.voxels[index]),
                    "keys": _spread(known.keys_of(index), _SAVED_KEYS).tolist(),
                }
                for index, who in enumerate(known.who)
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state()``. Raises UserError where it is not one."""
        try:
            self._known, self._next_id = _known_from(state["objects"]), int(state["next_id"])
            if any(not 0 < item.id < self._next_id for item in self._known.who):
                raise ValueError("an id is not below next_id")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(
                f"the map file's list of objects is not valid ({type(error).__name__}: {error}); "
                "use another copy"
            ) from error

    def _overlaps(
        self, bricks: Bricks, object_of: NDArray[np.int32], objects: int
    ) -> tuple[_Overlaps, NDArray[np.float64]]:
        """What is shared, and how many voxels of each object of before still are voxels of any thing."""
        known = self._known
        weight = known.voxels / np.maximum(np.diff(known.starts), 1)
        pairs, alive = _count_shared(
            bricks.find(known.keys), known.starts, object_of, np.zeros(objects, np.int64)
        )
        return _Overlaps(pairs[:, 0], pairs[:, 1], pairs[:, 2] * weight[pairs[:, 0]]), alive * weight

    def _match(self, overlaps: _Overlaps, voxels: NDArray[np.int64]) -> tuple[dict[int, int], dict[int, int]]:
        """Object of now -> that of before whose id it gets; object of before -> that of now it is part of."""
        ids = np.array([who.id for who in self._known.who], np.int64)
        before, now, shared = overlaps.before, overlaps.now, overlaps.shared
        smaller = np.minimum(self._known.voxels[before], voxels[now])
        same = np.flatnonzero(shared >= _LEAST_SHARED * smaller)
        by_before = same[np.lexsort((now[same], -shared[same], before[same]))]
        largest = by_before[_first_of_runs(before[by_before])]
        by_now = largest[np.lexsort((ids[before[largest]], -shared[largest], now[largest]))]
        is_heir = _first_of_runs(now[by_now])
        chosen, others = by_now[is_heir], by_now[~is_heir]
        others = others[shared[others] >= _MOST_SHARED * self._known.voxels[before[others]]]
        heirs = dict(zip(now[chosen].tolist(), before[chosen].tolist(), strict=True))
        return heirs, dict(zip(before[others].tolist(), now[others].tolist(), strict=True))

    def _identities(
        self,
        overlaps: _Overlaps,
        voxels: NDArray[np.int64],
        heirs: dict[int, int],
        merged_into: dict[int, int],
    ) -> list[Identity]:
        known = self._known.who
        joined: dict[int, list[int]] = {}
        for before, now in sorted(merged_into.items(), key=lambda entry: known[entry[0]].id):
            joined.setdefault(now, []).extend((*known[before].merged, known[before].id))
        half = np.flatnonzero(overlaps.shared >= _MOST_SHARED * voxels[overlaps.now])
        half = half[np.argsort(overlaps.shared[half], kind="stable")]  # the largest comes last and stays
        origin = dict(zip(overlaps.now[half].tolist(), overlaps.before[half].tolist(), strict=True))
        who = []
        for now in range(voxels.size):
            if now in heirs:
                old = known[heirs[now]]
                merged = (*old.merged, *joined.get(now, ()))[-_MOST_MERGED:]
                who.append(Identity(old.id, merged, old.split_from))
            else:
                who.append(Identity(self._next_id, (), known[origin[now]].id if now in origin else 0))
                self._next_id += 1
        return who

    def _remember(self, instances: Instances, who: list[Identity], dormant: list[int]) -> None:
        old = self._known
        keys = instances.things.key[instances.members]
        parts = [keys[a:b] for a, b in zip(instances.starts, instances.ends, strict=True)]
        parts += [old.keys_of(index) for index in dormant]
        self._known = _Known(
            (*who, *(old.who[index] for index in dormant)),
            np.concatenate([instances.voxels, old.voxels[dormant]]),
            np.concatenate([*parts, np.empty(0, np.int64)]),
            np.cumsum([0, *(part.size for part in parts)]),
        )


def _known_from(objects: list[dict[str, Any]]) -> _Known:
    keys = [np.array(item["keys"], np.int64) for item in objects]
    who = tuple(
        Identity(int(item["id"]), tuple(int(other) for other in item["merged"]), int(item["split_from"]))
        for item in objects
    )
    if len({item.id for item in who}) != len(who) or any(part.ndim != 1 or not part.size for part in keys):
        raise ValueError("an id comes twice or an object has no voxels")
    return _Known(
        who,
        np.array([int(item["voxels"]) for item in objects], np.int64),
        np.concatenate([*keys, np.empty(0, np.int64)]),
        np.cumsum([0, *(part.size for part in keys)]),
    )


def _first_of_runs(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each element of a sorted array differs from the one before."""
    return np.concatenate([np.ones(min(values.size, 1), bool), values[1:] != values[:-1]])


def _spread(keys: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most ``count`` of the keys, evenly spread over their sorted order."""
    return np.sort(keys)[:: -(-keys.size // count)]


@kernel
def _count_shared(
    voxels: NDArray[np.int32],
    starts: NDArray[np.int64],
    object_of: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(p, 3) object of before, object of now, shared voxels; and the number of voxels (k,) that are there.

    ``voxels`` are those of before by their number now (-1: gone), grouped by ``starts``; ``counts`` is zero.
    """
    pairs = np.empty((voxels.size, 3), np.int64)
    alive = np.zeros(starts.size - 1, np.int64)
    used = 0
    for before in range(starts.size - 1):
        first = used
        for voxel in voxels[starts[before] : starts[before + 1]]:
            if voxel < 0:
                continue
            alive[before] += 1
            now = object_of[voxel]
            if now < 0:
                continue
            if counts[now] == 0:
                pairs[used, 0], pairs[used, 1] = before, now
                used += 1
            counts[now] += 1
        for pair in range(first, used):
            pairs[pair, 2] = counts[pairs[pair, 1]]
            counts[pairs[pair, 1]] = 0
    return pairs[:used].copy(), alive
