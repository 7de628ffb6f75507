"""Ways to keep the embeddings of a map in few bytes, side by side: the table of docs/map_memory.md.

    python benchmarks/embedding_codes.py --maps exact_maps --apartments 4 --json codes.json
    python benchmarks/embedding_codes.py --dims 384 512 768           simulated embeddings only

Rooms are exact maps (every embedding in float32): of held-out apartments with the predictions of a network,
kept in --maps and made where they are missing, or of the benchmark's rooms with simulated clusters. Of every
voxel that was observed with a weight of 0.3 or more the best of 40 texts is found with its embedding and with
what a code gives back of it; reported is the share of equal ones, in all rooms but the first. Codes learn
from voxels of all rooms ("all"), or of the first one only ("first"): a map has to live with what it learned
at the beginning. Shared rows, which learn nothing, are the map's own storage: files are loaded compact.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from tqdm import tqdm
from vector_codes import Vectors, codes

from rgbd_perception.bench.embeddings import CLASS_NAMES, ClusteredEmbeddings, MadeUpTexts
from rgbd_perception.bench.equal import (
    FIRST_HELD_OUT_SEED,
    VOXEL_TEXTS,
    apartment_maps,
    exact_config,
    fixed_texts,
)
from rgbd_perception.bench.scenes import Scene, bench_map
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.text import create_text_encoder

LEAST_WEIGHT = 0.3
LEARNED = 20_000
"""Vectors that a code learns from."""
TOLERANCES = (0.98, 0.99, 0.995)
_INDEX_BYTES = 4
"""Of the number of a shared row, in every voxel."""


@dataclass(frozen=True)
class Room:
    """Well observed voxels of an exact map: ``key`` (n,) ascending, unit ``vectors`` (n, D)."""

    path: Path
    key: NDArray[np.int64]
    vectors: Vectors


@dataclass(frozen=True)
class Line:
    """Percent of equal voxels for one code; ``first`` is None where nothing is learned."""

    code: str
    nbytes: float
    all: float
    first: float | None


def network_maps(folder: Path, count: int, views: int, model: str) -> list[Path]:
    """Files of exact maps of the first ``count`` held-out apartments, made where ``folder`` lacks them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        seed: folder / f"{seed}.rgbdmap" for seed in range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + count)
    }
    missing = [seed for seed, path in paths.items() if not path.exists()]
    made = apartment_maps([exact_config(MapConfig())], missing, views, model)
    for seed, (voxel_map,) in tqdm(zip(missing, made, strict=True), "apartments", len(missing)):
        voxel_map.save(paths[seed])
    return list(paths.values())


def simulated_maps(folder: Path, count: int, dim: int) -> Iterator[Path]:
    """Files of exact maps of ``count`` rooms of the benchmark, with clusters in ``dim`` dimensions."""
    scene = Scene(ClusteredEmbeddings(dim))
    for place in range(count):
        voxel_map = bench_map(dim, exact_config(MapConfig()))
        for frame, prediction in scene.survey(place):
            voxel_map.integrate(frame, prediction)
        path = folder / f"{dim}-{place}.rgbdmap"
        voxel_map.save(path)
        voxel_map.close()
        yield path


def read_room(path: Path) -> Room:
    """Read an exact map."""
    with safe_open(path, "numpy") as file:
        chosen = np.flatnonzero(
            (file.get_tensor("weight") >= LEAST_WEIGHT) & (file.get_tensor("feature_weight") > 0)
        )
        key, vectors = file.get_tensor("key")[chosen], file.get_tensor("feature")[chosen].astype(np.float32)
    order = np.argsort(key)
    return Room(path, key[order], (vectors / np.linalg.norm(vectors, axis=1, keepdims=True))[order])


def shared_rows(room: Room, tolerance: float, folder: Path) -> tuple[Vectors, float]:
    """What the map's own storage gives back for the voxels of ``room``, and the bytes of a voxel."""
    config = MapConfig(feature_tolerance=tolerance, hot_voxels=64)  # nearly all of them settle
    path = folder / "compact.rgbdmap"
    VoxelMap.load(room.path, config).save(path)
    with safe_open(path, "numpy") as file:
        key, at = file.get_tensor("key"), file.get_tensor("feature_at").astype(np.int64)
        rows, basis = file.get_tensor("feature_vectors"), file.get_tensor("feature_basis")
    order = np.argsort(key)
    place = order[np.searchsorted(key[order], room.key)]
    known = at[place] > 0
    vectors = np.where(known[:, None], rows[np.maximum(at[place], 1) - 1].astype(np.float32) @ basis, 0.0)
    return vectors.astype(np.float32), rows.nbytes / np.count_nonzero(at) + _INDEX_BYTES


def compare_codes(rooms: Sequence[Room], texts: Vectors, folder: Path) -> Iterator[Line]:
    """Measure every code on all rooms but the first."""
    others = np.concatenate([room.vectors for room in rooms[1:]])
    truth = (others @ texts.T).argmax(axis=1)
    everything = np.concatenate([room.vectors for room in rooms])
    lessons = [_spread(everything), _spread(rooms[0].vectors)]
    del everything

    def equal(back: Vectors) -> float:
        return round(100 * float(np.mean((back @ texts.T).argmax(axis=1) == truth)), 2)

    for code in codes():
        shares = [equal(code.learn(seen)(others)) for seen in lessons[: 1 + code.has_learned]]
        yield Line(code.name, code.nbytes(others.shape[1]), *shares, *[None] * (2 - len(shares)))
    for tolerance in TOLERANCES:
        parts = [shared_rows(room, tolerance, folder) for room in rooms[1:]]
        nbytes = float(np.average([part[1] for part in parts], weights=[len(part[0]) for part in parts]))
        share = equal(np.concatenate([part[0] for part in parts]))
        yield Line(f"shared by neighbours, cosine {tolerance}, 64 x 8 bits", round(nbytes, 1), share, None)


def _spread(vectors: Vectors) -> Vectors:
    """At most LEARNED of them, in their order."""
    return np.ascontiguousarray(vectors[:: max(1, -(-len(vectors) // LEARNED))])


def _report(title: str, rooms: Sequence[Room], texts: Vectors, folder: Path) -> list[dict[str, object]]:
    voxels = sum(len(room.key) for room in rooms[1:])
    print(f"{title}: {voxels:,} voxels of {len(rooms) - 1} rooms; learned from all and one more, or that one")
    lines = []
    for line in compare_codes(rooms, texts, folder):
        first = "" if line.first is None else f"{line.first:8.2f}"
        print(f"  {line.code:<52}{line.nbytes:7.1f} B{line.all:8.2f}{first}", flush=True)
        lines.append(dict(vars(line)))
    return lines


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--maps", type=Path, help="folder of the exact maps of the network")
    parser.add_argument("--apartments", type=int, default=4, help="held-out apartments (default 4)")
    parser.add_argument("--views", type=int, default=60, help="frames mapped of each (default 60)")
    parser.add_argument("--model", default="rgbd_mini")
    parser.add_argument("--dims", type=int, nargs="*", default=[], help="of simulated embeddings")
    parser.add_argument("--rooms", type=int, default=4, help="simulated rooms (default 4)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    if min(options.apartments, options.rooms) < 2:
        parser.error("two rooms are needed: one to learn from, another one to measure")
    results = {}
    with tempfile.TemporaryDirectory(prefix="embedding_codes_") as name:
        folder = Path(name)
        if options.maps:
            paths = network_maps(options.maps, options.apartments, options.views, options.model)
            rooms = [read_room(path) for path in tqdm(paths, "reading")]
            texts = create_text_encoder().encode(fixed_texts(VOXEL_TEXTS))
            results[options.model] = _report(options.model, rooms, texts, folder)
        for dim in options.dims:
            rooms = [read_room(path) for path in simulated_maps(folder, options.rooms, dim)]
            texts = MadeUpTexts(dim).encode(CLASS_NAMES)
            results[f"simulated {dim}"] = _report(f"simulated, {dim} dimensions", rooms, texts, folder)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
