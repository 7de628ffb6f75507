"""Time of objects() and what it costs the mapping: python benchmarks/bench_objects.py [MAP ...] [--json FILE]

Without map files a map is made up: the camera looks at reliefs of things that stand apart, a new one with
every frame, until there are --voxels voxels. Every voxel belongs to a thing, so nothing is left out early.
Reported are the best and the median of several calls, and the longest updates while objects() runs in
another thread, beside the longest ones without.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.mapping import MapConfig, VoxelMap, warm_up
from rgbd_perception.vocabulary import Vocabulary

HEIGHT, WIDTH, STRIDE, DIM, CLASSES = 480, 640, 4, 384, 38
ROWS, COLUMNS = 10, 10
"""Things in a relief."""
INTRINSICS = CameraIntrinsics(240.0, 240.0, 319.5, 239.5, WIDTH, HEIGHT)
TEXT_SPACE = "bench"
CELLS = (HEIGHT // STRIDE, WIDTH // STRIDE)


def relief(rng: np.random.Generator, embeddings: NDArray[np.float16]) -> tuple[RgbdFrame, Prediction]:
    """A frame of ROWS x COLUMNS things of random classes, at depths that keep neighbours apart."""
    labels = rng.integers(0, CLASSES, (ROWS, COLUMNS)).astype(np.uint16)
    depth = 3.5 + 0.4 * (np.indices(labels.shape).sum(axis=0) % 2) + rng.uniform(0, 0.1, labels.shape)
    cells = np.kron(labels, np.ones((CELLS[0] // ROWS, CELLS[1] // COLUMNS), np.uint16))
    pixels = np.kron(depth, np.ones((HEIGHT // ROWS, WIDTH // COLUMNS))).astype(np.float32)
    noise = rng.standard_normal((*CELLS, DIM)).astype(np.float32) * np.float32(0.01)
    embedding = embeddings[cells].astype(np.float32) + noise
    embedding /= np.linalg.norm(embedding, axis=2, keepdims=True)
    color = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    prediction = Prediction(
        cells, np.full(CELLS, 0.8, np.float32), STRIDE, embedding.astype(np.float16), text_space=TEXT_SPACE
    )
    return RgbdFrame(color, pixels, INTRINSICS), prediction


def pose_at(place: int) -> NDArray[np.float64]:
    """Camera looking along map x at one of many places that are apart."""
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    pose[:3, 3] = [(place % 50) * 4.0, (place // 50) * 20.0, 1.3]
    return pose


def made_up_map(voxels: int) -> tuple[VoxelMap, list[tuple[RgbdFrame, Prediction]]]:
    """A map of that many voxels and frames of the last place."""
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((CLASSES, DIM))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    frames = [relief(rng, embeddings.astype(np.float16)) for _ in range(6)]
    voxel_map = VoxelMap(MapConfig(carve=False, min_weight=0.0))
    names = [f"class {index}" for index in range(CLASSES)]
    voxel_map.set_vocabulary(Vocabulary(names, TEXT_SPACE), embeddings)
    place = 0
    while len(voxel_map) < voxels:
        frame, prediction = frames[place % len(frames)]
        voxel_map.integrate(frame.with_pose(pose_at(place)), prediction)
        place += 1
    return voxel_map, [(frame.with_pose(pose_at(place - 1)), prediction) for frame, prediction in frames]


def times_of(call: object, repeats: int) -> list[float]:
    """Milliseconds of each of ``repeats`` calls."""
    assert callable(call)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def updates(
    voxel_map: VoxelMap, frames: list[tuple[RgbdFrame, Prediction]], repeats: int
) -> dict[str, float]:
    """Median and largest of the update times."""
    numbered = iter(range(repeats))
    times = times_of(lambda: voxel_map.integrate(*frames[next(numbered) % len(frames)]), repeats)
    return {"p50": round(float(np.median(times)), 1), "max": round(max(times), 1)}


def report(voxel_map: VoxelMap, repeats: int) -> dict[str, object]:
    """Size of the map and times of objects()."""
    objects = voxel_map.objects()
    times = times_of(voxel_map.objects, repeats)
    return {
        "voxels": len(voxel_map),
        "objects": len(objects),
        "objects_ms": {"best": round(min(times), 1), "p50": round(float(np.median(times)), 1)},
    }


def with_and_without(voxel_map: VoxelMap, frames: list[tuple[RgbdFrame, Prediction]]) -> dict[str, object]:
    """Times of updates alone, and while another thread asks for objects all the time."""
    alone = updates(voxel_map, frames, 50)
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            voxel_map.objects()

    asking = threading.Thread(target=ask)
    asking.start()
    beside = updates(voxel_map, frames, 50)
    stop.set()
    asking.join()
    return {"update_ms": alone, "update_ms_beside_objects": beside}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("maps", nargs="*", type=Path, help="map files instead of a made-up map")
    parser.add_argument("--voxels", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args()
    warm_up()
    results = [{"map": path.name, **report(VoxelMap.load(path), options.repeats)} for path in options.maps]
    if not options.maps:
        voxel_map, frames = made_up_map(options.voxels)
        results.append({**report(voxel_map, options.repeats), **with_and_without(voxel_map, frames)})
    text = json.dumps(results, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
