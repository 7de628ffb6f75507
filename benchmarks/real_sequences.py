"""How well real frames and the map they make fit together: python benchmarks/real_sequences.py FOLDER ...

    python benchmarks/real_sequences.py data/redkitchen data/hololens_office data/apc_shelf:1.5
    python benchmarks/real_sequences.py data/hololens_office --png office.png

FOLDER is any source of `rgbd-perception map` whose frames have poses; after a colon the largest depth in
metres. No network is needed: only the geometry is looked at.

The geometry residual: two maps are made, one of every second frame, one of the others, and each is compared
with the depth of the frames that it has not seen. For a measured point (every eighth pixel along each side)
the voxels whose centres are within two voxels of it are taken, at least five that were observed with a weight
of 0.3 or more, and a plane is fitted to their centres; the residual is the distance of the point from that
plane. Points without such voxels count against `covered`. Residuals hold the sensor's noise, errors of poses
and what a grid of voxels loses; `exact room` is one of boxes, seen without noise by exact poses and turned
against the grid: the last part alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from rgbd_perception.bench.rooms import make_room, render, video_poses
from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.sources import SourceOptions, open_source
from rgbd_perception.viewer.top_view import draw_top_view
from rgbd_perception.vocabulary import UNKNOWN_LABEL

STRIDE = 4
SAMPLED = 8
"""Every so manieth pixel of a frame is measured."""
LEAST_VOXELS = 5
MOST_VOXELS = 32
REACH = 2.0
"""Voxels."""
DEFAULT_DEPTH = 6.0
PICTURE = (540, 720)


@dataclass(frozen=True)
class Residual:
    """Millimetres from measured points to the surface that the other frames made."""

    sequence: str
    frames: int
    voxel_mm: float
    voxels: int
    points: int
    covered_percent: float
    median_mm: float
    p90_mm: float


def map_frames(frames: Sequence[RgbdFrame], voxel_size: float, max_depth: float) -> VoxelMap:
    """A map of the geometry of ``frames``."""
    voxel_map = VoxelMap(MapConfig(voxel_size=voxel_size, max_depth=max_depth, carve_range=max_depth))
    for frame in frames:
        height, width = (-(-side // STRIDE) for side in frame.depth.shape)
        labels = np.full((height, width), UNKNOWN_LABEL, np.uint16)
        try:
            voxel_map.integrate(frame, Prediction(labels, np.ones((height, width), np.float32), STRIDE))
        except FrameDropped as dropped:
            print(f"  a frame was left out: {dropped}")
    return voxel_map


def measured_points(frame: RgbdFrame, max_depth: float) -> NDArray[np.float64]:
    """(n, 3) points in the map frame of every SAMPLED-th pixel with a depth."""
    assert frame.pose is not None
    depth = frame.depth[::SAMPLED, ::SAMPLED].astype(np.float64)
    v, u = np.nonzero((depth > 0) & (depth < max_depth))
    z, k = depth[v, u], frame.intrinsics
    local = np.stack([(u * SAMPLED - k.cx) / k.fx * z, (v * SAMPLED - k.cy) / k.fy * z, z], axis=1)
    return local @ frame.pose[:3, :3].T + frame.pose[:3, 3]


def distances(points: NDArray[np.float64], voxel_map: VoxelMap) -> NDArray[np.float64]:
    """(n,) metres from each point to the plane through the voxels around it; NaN where there are too few."""
    config = voxel_map.config
    centers = voxel_map.voxels(config.min_weight).centers.astype(np.float64)
    found, place = cKDTree(centers).query(points, MOST_VOXELS, distance_upper_bound=REACH * config.voxel_size)
    near = np.isfinite(found)
    count = near.sum(axis=1)
    around = np.where(near[..., None], centers[np.where(near, place, 0)], 0.0)
    middle = around.sum(axis=1) / np.maximum(count, 1)[:, None]
    spread = np.where(near[..., None], around - middle[:, None], 0.0)
    _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", spread, spread))
    residual = np.abs(np.einsum("ni,ni->n", points - middle, axes[:, :, 0]))
    return np.where(count >= LEAST_VOXELS, residual, np.nan)


def residual_of(name: str, frames: Sequence[RgbdFrame], voxel_size: float, max_depth: float) -> Residual:
    """Map each half of the frames, measure it with the other half."""
    parts, voxels = [], 0
    for seen, others in ((frames[::2], frames[1::2]), (frames[1::2], frames[::2])):
        voxel_map = map_frames(seen, voxel_size, max_depth)
        points = np.concatenate([measured_points(frame, max_depth) for frame in others])
        parts.append(distances(points, voxel_map))
        voxels += len(voxel_map) // 2
    joined = np.concatenate(parts)
    known = joined[~np.isnan(joined)] * 1e3
    return Residual(
        name, len(frames), voxel_size * 1e3, voxels, joined.size,
        covered_percent=round(100 * known.size / joined.size, 1),
        median_mm=round(float(np.median(known)), 1),
        p90_mm=round(float(np.percentile(known, 90)), 1),
    )  # fmt: skip


def exact_room(count: int = 40) -> list[RgbdFrame]:
    """Frames of a room of boxes: exact depth, exact poses, no surface along the grid."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("zx", (0.4, 0.15)).as_matrix()
    camera = CameraIntrinsics(285.0, 285.0, 159.5, 119.5, 320, 240)
    room = make_room(0)
    frames = []
    for index, pose in enumerate(video_poses(room, count, rate=5.0)):
        depth, surface = render(room, pose, camera)
        color = np.repeat((surface * 11 % 256).astype(np.uint8)[..., None], 3, axis=2)
        frames.append(RgbdFrame(color, depth, camera, index * 200_000_000, "camera", turn @ pose))
    return frames


def _read(argument: str) -> tuple[str, list[RgbdFrame], float]:
    folder, _, depth = argument.partition(":")
    max_depth = float(depth or DEFAULT_DEPTH)
    return Path(folder).name, list(open_source(folder, SourceOptions(max_depth=max_depth))), max_depth


def main() -> None:
    """Measure every sequence at every voxel size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sequences", nargs="+", metavar="FOLDER[:METRES]")
    parser.add_argument("--voxel-sizes", type=float, nargs="+", default=[0.05, 0.02], help="metres")
    parser.add_argument("--png", type=Path, help="picture of the first sequence from above, 2 cm voxels")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    results = []
    sequences = [*map(_read, options.sequences), ("exact room", exact_room(), DEFAULT_DEPTH)]
    for name, frames, max_depth in sequences:
        for voxel_size in options.voxel_sizes:
            results.append(residual_of(name, frames, voxel_size, max_depth))
            print(json.dumps(asdict(results[-1])), flush=True)
    if options.png:
        _, frames, max_depth = sequences[0]
        voxels = map_frames(frames, 0.02, max_depth).voxels(0.3)
        view = draw_top_view(voxels.centers, voxels.colors, 0.02, PICTURE)
        Image.fromarray(view.image).save(options.png)
    if options.json:
        content = json.dumps([asdict(result) for result in results], indent=2)
        options.json.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
