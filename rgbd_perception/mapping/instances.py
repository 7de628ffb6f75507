"""Which voxels of a map make up which object: connected ones of one class with like embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bricks import Bricks
from rgbd_perception.mapping.components import connected_components
from rgbd_perception.mapping.evidence import labels_of, posterior
from rgbd_perception.mapping.fragments import absorb_fragments
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.snapshot import Columns
from rgbd_perception.mapping.view import MapView
from rgbd_perception.vocabulary import UNKNOWN_LABEL


@dataclass(frozen=True)
class Things:
    """The voxels that may belong to objects (n,): well observed, of a known class that is no stuff."""

    key: NDArray[np.int64]
    label: NDArray[np.uint16]
    probability: NDArray[np.float32]
    last_seen: NDArray[np.uint32]
    sketch: NDArray[np.int8]


@dataclass(frozen=True)
class Instances:
    """Objects 0 .. m - 1, by class in the order of the vocabulary, then largest first.

    The voxels of object i are ``members[starts[i] : ends[i]]``, numbers into ``things``; ``bricks`` finds
    voxels of ``things`` by key; ``labels`` (m,) are class ids.
    """

    things: Things
    bricks: Bricks
    members: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    labels: NDArray[np.uint16]

    @property
    def voxels(self) -> NDArray[np.int64]:
        """(m,) numbers of voxels."""
        return self.ends - self.starts

    def object_of_things(self) -> NDArray[np.int32]:
        """(n,) object of each voxel of ``things``, -1 for those that are in none."""
        objects = np.full(self.things.key.size, -1, np.int32)
        _mark(self.members, self.starts, self.ends, objects)
        return objects


def find_instances(view: MapView) -> Instances:
    """Group the voxels of all classes but the stuff classes; groups of too few voxels are left out.

    An object has the class of its largest group, also for voxels of fragments of another class.
    """
    header, config = view.header, view.config
    things = _read_things(view)
    bricks = Bricks(things.key)
    groups = connected_components(
        bricks,
        config.gap_voxels,
        things.sketch if header.feature_dim else None,
        config.instance_similarity,
        things.label,
    )
    label_of_group = np.zeros(int(groups.max(initial=-1)) + 1, np.uint16)
    label_of_group[groups] = things.label
    if header.feature_dim and config.fragment_voxels:
        groups = absorb_fragments(bricks, things.key, groups, things.sketch, config.fragment_voxels)
    members, starts, ends = _sort_by_group(groups)
    starts, ends = starts[ends > starts], ends[ends > starts]
    first_key = np.minimum.reduceat(things.key[members], starts) if starts.size else starts
    large = np.flatnonzero(ends - starts >= config.min_object_voxels)
    starts, ends, first_key = starts[large], ends[large], first_key[large]
    labels = label_of_group[groups[members[starts]]]
    order = np.lexsort((first_key, starts - ends, labels))
    return Instances(things, bricks, members, starts[order], ends[order], labels[order])


def _read_things(view: MapView) -> Things:
    snapshot, header, config = view.snapshot, view.header, view.config
    vocabulary = header.vocabulary
    assert vocabulary is not None
    reader = snapshot.features
    is_thing = np.zeros(UNKNOWN_LABEL + 1, bool)
    is_thing[: len(vocabulary)] = [name not in config.stuff_classes for name in vocabulary.names]

    def read(block: Columns) -> tuple[NDArray[np.generic], ...]:
        label = labels_of(block["class_slot"])
        chosen = is_thing[label] & (block["key"] != NO_KEY) & (snapshot.weights(block) >= config.min_weight)
        rows = np.flatnonzero(chosen)
        probability = np.zeros(label.size, np.float32)
        slots, evidence = block["class_slot"][rows], block["evidence"][rows]
        probability[rows] = posterior(slots, evidence, len(vocabulary))[:, 0]
        sketch = reader.sketches(block, rows) if reader else np.empty((label.size, 0), np.int8)
        return chosen, block["key"].copy(), label, probability, block["last_seen"].copy(), sketch

    count = snapshot.voxels
    columns: tuple[NDArray[Any], ...] = (
        np.empty(count, np.int64),
        np.empty(count, np.uint16),
        np.empty(count, np.float32),
        np.empty(count, np.uint32),
        np.empty((count, reader.sketch_dim if reader else 0), np.int8),
    )
    used = 0
    for _, (chosen, *parts) in snapshot.blocks(read):
        rows = np.flatnonzero(chosen)
        for column, part in zip(columns, parts, strict=True):
            np.take(part, rows, axis=0, out=column[used : used + rows.size])
        used += rows.size
    return Things(*(column[:used] for column in columns))


def _sort_by_group(
    groups: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(members, starts, ends): the voxels of group g, in order, are members[starts[g] : ends[g]]."""
    ends = np.cumsum(np.bincount(groups))
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    members = np.empty(groups.size, np.int64)
    _distribute(groups, starts.copy(), members)
    return members, starts[: ends.size], ends


@kernel
def _distribute(groups: NDArray[np.int32], places: NDArray[np.int64], members: NDArray[np.int64]) -> None:
    for voxel in range(groups.size):
        members[places[groups[voxel]]] = voxel
        places[groups[voxel]] += 1


@kernel
def _mark(
    members: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], objects: NDArray[np.int32]
) -> None:
    for number in range(starts.size):
        for voxel in members[starts[number] : ends[number]]:
            objects[voxel] = number
