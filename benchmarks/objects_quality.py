"""How well objects are told apart: python benchmarks/objects_quality.py APARTMENT ... --maps FOLDER

The apartments are folders of `rgbd-perception synth`, the maps those that benchmarks/held_out_apartments.py
writes. True objects are the voxels that most pixels of an instance fall into, at least --least of them, stuff
left out. An object of the map is right when it has the class of a true one and the IoU of their voxels is
more than 0.25 (0.5), counted over the voxels of the truth, each true one once. A true object is split where
several objects of the map have most of their voxels in it, and joined where an object of the map has a third
of the voxels of it and of another one of its class.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from rgbd_perception.frame import RgbdFrame
from rgbd_perception.geometry import invert_rigid
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.mapping.instances import find_instances
from rgbd_perception.mapping.truth import TruthVoxels, truth_voxels
from rgbd_perception.sources import SourceOptions, indexed_frames, open_source
from rgbd_perception.sources.base import RecordedSource
from rgbd_perception.vocabulary import UNKNOWN_LABEL


@dataclass(frozen=True)
class Partition:
    """Objects as voxels: ``key`` (n,) int64, ``object`` (n,) int64 into ``names``."""

    key: NDArray[np.int64]
    object: NDArray[np.int64]
    names: list[str]


def true_objects(folder: Path, voxel_map: VoxelMap, least: int, cache: Path | None) -> Partition:
    """The true objects of at least ``least`` voxels, in the map frame."""
    kept = cache / f"{folder.name}.instances.npz" if cache else None
    if kept is not None and kept.exists():
        stored = np.load(kept)
        truth = TruthVoxels(stored["keys"], stored["labels"])
    else:
        truth = truth_voxels(_instance_frames(folder, voxel_map), voxel_map.config.voxel_size)
        if kept is not None:
            np.savez(kept, keys=truth.keys, labels=truth.labels)
    described = json.loads((folder / "objects.json").read_text(encoding="utf-8"))["objects"]
    classes = {entry["instance"]: entry["class"] for entry in described}
    counts = Counter(truth.labels.tolist())
    stuff = voxel_map.config.stuff_classes
    chosen = [
        instance
        for instance in sorted(counts)
        if counts[instance] >= least and classes.get(instance, stuff[0]) not in stuff
    ]
    number = np.full(UNKNOWN_LABEL + 1, -1, np.int64)
    number[chosen] = np.arange(len(chosen))
    return Partition(truth.keys, number[truth.labels], [classes[instance] for instance in chosen])


def _instance_frames(folder: Path, voxel_map: VoxelMap) -> Iterator[tuple[RgbdFrame, NDArray[np.uint16]]]:
    source = open_source(str(folder), SourceOptions(max_depth=voxel_map.config.max_depth))
    assert isinstance(source, RecordedSource)
    change = voxel_map.map_from_source @ invert_rigid(source.map_from_source)
    bar = tqdm(indexed_frames(source), total=len(source), desc=folder.name, disable=None, file=sys.stderr)
    for index, frame in bar:
        truth = source.truth(index)
        if truth is not None and frame.pose is not None:
            instance = np.where(truth.instance == 0, UNKNOWN_LABEL, truth.instance).astype(np.uint16)
            yield frame.with_pose(change @ frame.pose), instance


def mapped_objects(voxel_map: VoxelMap) -> Partition:
    """The objects of the map."""
    with voxel_map._view() as view:
        found = find_instances(view)
    assert voxel_map.vocabulary is not None
    names = [voxel_map.vocabulary.names[label] for label in found.labels]
    return Partition(found.things.key, found.object_of_things().astype(np.int64), names)


def compare(truth: Partition, mapped: Partition) -> dict[str, int]:
    """Counts for one apartment."""
    place = np.minimum(np.searchsorted(truth.key, mapped.key), truth.key.size - 1)
    known = truth.key[place] == mapped.key
    counted = known & (mapped.object >= 0)
    true_of, mapped_of = truth.object[place[counted]], mapped.object[counted]
    shared = np.zeros((len(truth.names) + 1, len(mapped.names)), np.int64)  # the last row: stuff and crumbs
    np.add.at(shared, (true_of, mapped_of), 1)
    mapped_voxels = shared.sum(axis=0)
    shared = shared[:-1]
    true_voxels = np.bincount(truth.object[truth.object >= 0], minlength=len(truth.names))
    union = true_voxels[:, None] + mapped_voxels - shared
    iou = shared / np.maximum(union, 1)
    same = np.array(truth.names)[:, None] == np.array(mapped.names)
    most = (shared > 0.5 * np.maximum(mapped_voxels, 1)) & same
    third = (shared > true_voxels[:, None] / 3) & same
    return {
        "true": len(truth.names),
        "mapped": int(np.count_nonzero(mapped_voxels)),
        "right_25": _matches(np.where(same, iou, 0), 0.25),
        "right_50": _matches(np.where(same, iou, 0), 0.5),
        "place_25": _matches(iou, 0.25),
        "split": int(np.count_nonzero(most.sum(axis=1) > 1)),
        "joined": int(np.count_nonzero((third & (third.sum(axis=0) > 1)).any(axis=1))),
    }


def _matches(iou: NDArray[np.float64], least: float) -> int:
    """Pairs of more than that IoU, best first, each object once."""
    rows, columns = np.nonzero(iou > least)
    order = np.argsort(-iou[rows, columns], kind="stable")
    used_rows: set[int] = set()
    used_columns: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in used_rows and column not in used_columns:
            used_rows.add(row)
            used_columns.add(column)
    return len(used_rows)


def summary(total: Counter[str]) -> dict[str, float]:
    """Counts with precision, recall and F1."""
    result: dict[str, float] = dict(total)
    for share in ("25", "50"):
        right = total[f"right_{share}"]
        result[f"precision_{share}"] = round(right / max(total["mapped"], 1), 4)
        result[f"recall_{share}"] = round(right / max(total["true"], 1), 4)
        result[f"f1_{share}"] = round(2 * right / max(total["mapped"] + total["true"], 1), 4)
    return result


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("apartments", nargs="+", type=Path)
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--least", type=int, default=10, help="voxels of a true object, at least")
    parser.add_argument("--cache", type=Path, help="folder to keep the true voxels in")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a map option")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = MapConfig(
        **{name: json.loads(value) for name, _, value in (s.partition("=") for s in options.set)}
    )
    total: Counter[str] = Counter()
    for folder in options.apartments:
        voxel_map = VoxelMap.load(options.maps / f"{folder.name}.rgbdmap", config)
        truth = true_objects(folder, voxel_map, options.least, options.cache)
        total += Counter(compare(truth, mapped_objects(voxel_map)))
        voxel_map.close()
    text = json.dumps(summary(total), indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
