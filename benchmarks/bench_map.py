"""Time of updates and queries against the size of the map: python benchmarks/bench_map.py [--json FILE]

The camera stands in a box of a room (480x640 pixels, grid of 120x160 cells, 384-d embeddings) that is placed
somewhere else for every stretch of the map, until the map has the wanted size. Then two kinds of updates are
timed: frames of a known place (every voxel exists already) and frames of new places.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.mapping import MapConfig, VoxelMap, warm_up
from rgbd_perception.vocabulary import Vocabulary

HEIGHT, WIDTH, STRIDE, DIM, CLASSES = 480, 640, 4, 384, 38
INTRINSICS = CameraIntrinsics(570.0, 570.0, 319.5, 239.5, WIDTH, HEIGHT)
TEXT_SPACE = "bench"


class RandomTexts:
    """Unit vectors drawn from the text itself: the time of a query does not depend on their meaning."""

    text_space = TEXT_SPACE

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [np.random.default_rng(list(text.encode())).standard_normal(DIM) for text in texts]
        return (np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def room_depth(rng: np.random.Generator) -> NDArray[np.float32]:
    """Depth of a 6 x 4 x 2.6 m box seen from inside along its length, with noise and holes."""
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    x, y = (u - INTRINSICS.cx) / INTRINSICS.fx, (v - INTRINSICS.cy) / INTRINSICS.fy
    walls = np.stack(
        [np.full(x.shape, 4.5), 2.0 / np.maximum(np.abs(x), 1e-6), 1.3 / np.maximum(np.abs(y), 1e-6)]
    )
    depth = walls.min(axis=0)
    depth += rng.standard_normal(depth.shape) * 0.002 * depth**2
    depth[rng.random(depth.shape) < 0.02] = 0
    return depth.astype(np.float32)


def pose_at(place: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Camera looking along map x, a few centimetres and degrees of motion, at one of many distant places."""
    pose = np.eye(4)
    angle = rng.normal(0, 0.02)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    pose[:3, :3] = turn @ np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    pose[:3, 3] = rng.normal(0, 0.02, 3) + np.array([(place % 100) * 10.0, (place // 100) * 10.0, 1.3])
    return pose


def make_frames(count: int, rng: np.random.Generator) -> list[tuple[RgbdFrame, Prediction]]:
    """Frames without a place, with predictions of every class."""
    cells = (HEIGHT // STRIDE, WIDTH // STRIDE)
    texts = RandomTexts().encode([f"class {index}" for index in range(CLASSES)])
    frames = []
    for _ in range(count):
        labels = np.repeat(np.repeat(rng.integers(0, CLASSES, (12, 16)), 10, axis=0), 10, axis=1).astype(
            np.uint16
        )
        embedding = texts[labels] + rng.standard_normal((*cells, DIM)).astype(np.float32) * 0.02
        embedding /= np.linalg.norm(embedding, axis=2, keepdims=True)
        prediction = Prediction(
            labels,
            np.full(cells, 0.8, np.float32),
            STRIDE,
            embedding.astype(np.float16),
            text_space=TEXT_SPACE,
        )
        color = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        frames.append((RgbdFrame(color, room_depth(rng), INTRINSICS), prediction))
    return frames


def percentiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 2) for q in (50, 95)}


def bench(sizes: Sequence[int], repeats: int) -> list[dict[str, object]]:
    """One row of results for every map size."""
    rng = np.random.default_rng(0)
    frames = make_frames(6, rng)
    names = [f"class {index}" for index in range(CLASSES)]
    voxel_map = VoxelMap(MapConfig())
    voxel_map.set_vocabulary(Vocabulary(names, TEXT_SPACE), RandomTexts().encode(names))
    place, rows = 0, []

    def update(at: int) -> tuple[float, dict[str, float]]:
        frame, prediction = frames[rng.integers(len(frames))]
        posed = frame.with_pose(pose_at(at, rng))
        start = time.perf_counter()
        report = voxel_map.integrate(posed, prediction)
        return (time.perf_counter() - start) * 1e3, report.step_ms

    for size in sizes:
        while len(voxel_map) < size:
            update(place := place + 1)
        known = [update(place) for _ in range(repeats + 3)][3:]
        new = [update(place := place + 1) for _ in range(min(repeats, 10))]
        row: dict[str, object] = {
            "voxels": len(voxel_map),
            "bytes_per_voxel": round(voxel_map.nbytes / len(voxel_map)),
            "update_known_ms": percentiles([entry[0] for entry in known]),
            "update_new_ms": percentiles([entry[0] for entry in new]),
            "steps_ms": {
                step: round(float(np.median([e[1][step] for e in known])), 2) for step in known[0][1]
            },
        }
        for texts in (1, 8):
            times = []
            for _ in range(3):
                start = time.perf_counter()
                voxel_map.query(names[:texts], encoder=RandomTexts())
                times.append((time.perf_counter() - start) * 1e3)
            row[f"query_{texts}_texts_ms"] = percentiles(times)
        start = time.perf_counter()
        row["objects"] = len(voxel_map.objects())
        row["objects_ms"] = round((time.perf_counter() - start) * 1e3, 1)
        print(json.dumps(row))
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="voxels")
    parser.add_argument("--repeats", type=int, default=30, help="updates timed for each size")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args()
    start = time.perf_counter()
    warm_up()
    print(f"warm-up {time.perf_counter() - start:.1f} s")
    rows = bench(options.sizes, options.repeats)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
