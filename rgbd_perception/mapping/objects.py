"""Instances in a map: connected voxels of one class with like embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.boxes import oriented_box
from rgbd_perception.mapping.components import connected_components
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.evidence import labels_of, posterior
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.keys import NO_KEY, centers
from rgbd_perception.mapping.snapshot import Columns, Snapshot
from rgbd_perception.vocabulary import UNKNOWN_LABEL


@dataclass(frozen=True)
class MapObject:
    """One instance: box centre ``position`` and ``size`` in metres, ``yaw`` in radians, in ``frame_id``.

    ``id`` is 1 + the row of its oldest voxel: it stays while that voxel lives, but not across save and load.
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


def find_objects(snapshot: Snapshot, header: MapHeader, config: MapConfig) -> list[MapObject]:
    """Instances of all classes but ``config.stuff_classes``, in the order of the vocabulary, largest
    first."""
    if header.vocabulary is None or snapshot.column("class_slot") is None or snapshot.voxels == 0:
        return []
    things = _thing_voxels(snapshot, header, config)
    objects: list[MapObject] = []
    for label in np.unique(things["label"]):
        voxels = {name: column[things["label"] == label] for name, column in things.items()}
        groups = connected_components(
            voxels["key"],
            config.gap_voxels,
            snapshot.features.directions(snapshot, voxels["row"]) if snapshot.features else None,
            config.instance_similarity,
        )
        order = np.argsort(groups, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
        large = [part for part in parts if part.size >= config.min_object_voxels]
        name = header.vocabulary.names[int(label)]
        objects.extend(_object(voxels, part, name, header) for part in sorted(large, key=len, reverse=True))
    return objects


def _thing_voxels(snapshot: Snapshot, header: MapHeader, config: MapConfig) -> Columns:
    """Well observed voxels whose class is known and no stuff: row, key, label, probability, last_seen."""
    vocabulary = header.vocabulary
    assert vocabulary is not None
    stuff = [index for index, name in enumerate(vocabulary.names) if name in config.stuff_classes]

    def read(block: Columns) -> tuple[NDArray[np.generic], ...]:
        label = labels_of(block["class_slot"])
        label[(block["key"] == NO_KEY) | (snapshot.weights(block) < config.min_weight)] = UNKNOWN_LABEL
        label[np.isin(label, stuff)] = UNKNOWN_LABEL
        probability = posterior(block["class_slot"], block["evidence"], len(vocabulary))[:, 0].copy()
        return label, block["key"].copy(), probability, block["last_seen"].copy()

    kept: list[tuple[NDArray[np.generic], ...]] = []
    for first, (label, key, probability, last_seen) in snapshot.blocks(read):
        chosen = np.flatnonzero(label != UNKNOWN_LABEL)
        kept.append((chosen + first, key[chosen], label[chosen], probability[chosen], last_seen[chosen]))
    names = ("row", "key", "label", "probability", "last_seen")
    return dict(zip(names, (np.concatenate(column) for column in zip(*kept, strict=True)), strict=True))


def _object(voxels: Columns, part: NDArray[np.int64], name: str, header: MapHeader) -> MapObject:
    box = oriented_box(centers(voxels["key"][part], header.voxel_size), header.voxel_size)
    return MapObject(
        id=1 + int(voxels["row"][part].min()),
        label=name,
        score=round(float(voxels["probability"][part].mean()), 4),
        position=box.position,
        size=box.extent,
        yaw=round(box.yaw, 4),
        frame_id=header.frame_id,
        voxels=int(part.size),
        last_seen_ns=int(header.stamps_ns(voxels["last_seen"][part]).max()),
    )
