"""The objects of a map as its users get them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.boxes import oriented_boxes
from rgbd_perception.mapping.instances import Instances, find_instances
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.tracker import Identity, ObjectTracker
from rgbd_perception.mapping.view import MapView


@dataclass(frozen=True)
class MapObject:
    """One instance: box centre ``position`` and ``size`` in metres, ``yaw`` in radians, in ``frame_id``.

    ``id`` stays while the object lives, also in a file. ``merged`` are ids that it took over (``object(id)``
    of the map finds it by them too), ``split_from`` the id of the object that it was once part of, or 0.
    ``score`` in 0..1 is the mean probability of ``label`` over its voxels, ``last_seen_ns`` the newest stamp.
    """

    id: int
    label: str
    score: float
    position: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    frame_id: str
    voxels: int
    last_seen_ns: int = field(default=0, compare=False)
    merged: tuple[int, ...] = ()
    split_from: int = 0


def find_objects(view: MapView, tracker: ObjectTracker) -> list[MapObject]:
    """Instances of all classes but the stuff classes, in the order of the vocabulary, then by size."""
    snapshot, header = view.snapshot, view.header
    if header.vocabulary is None or snapshot.column("class_slot") is None or snapshot.rows == 0:
        return []
    instances = find_instances(view)
    return _described(view, instances, tracker.update(instances), header.vocabulary.names)


def _described(
    view: MapView, instances: Instances, who: Sequence[Identity], names: Sequence[str]
) -> list[MapObject]:
    if not who:
        return []
    things, members, starts, voxels = instances.things, instances.members, instances.starts, instances.voxels
    header = view.header
    boxes = oriented_boxes(things.key[members], starts, instances.ends, header.voxel_size, view.run)
    scores, last_seen = np.zeros(len(who)), np.zeros(len(who), np.uint32)
    _summarize(things.probability, things.last_seen, members, starts, instances.ends, scores, last_seen)
    columns = (
        who, instances.labels.tolist(), np.round(scores, 4).tolist(), np.round(boxes.centers, 4).tolist(),
        np.round(boxes.sizes, 4).tolist(), np.round(boxes.yaws, 4).tolist(), voxels.tolist(),
        header.stamps_ns(last_seen).tolist(),
    )  # fmt: skip
    return [
        MapObject(
            identity.id, names[label], score, (x, y, z), (length, width, height), yaw, header.frame_id, count,
            seen, identity.merged, identity.split_from,
        )
        for identity, label, score, (x, y, z), (length, width, height), yaw, count, seen in zip(
            *columns, strict=True
        )
    ]  # fmt: skip


@kernel
def _summarize(
    probability: NDArray[np.float32],
    last_seen: NDArray[np.uint32],
    members: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    means: NDArray[np.float64],
    newest: NDArray[np.uint32],
) -> None:
    """Mean probability and newest stamp of each object."""
    for number in range(starts.size):
        for voxel in members[starts[number] : ends[number]]:
            means[number] += probability[voxel]
            newest[number] = max(newest[number], last_seen[voxel])
        means[number] /= ends[number] - starts[number]
