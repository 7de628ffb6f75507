"""Open3D's VoxelBlockGrid: a truncated signed distance field with color in hashed blocks, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rgbd_perception.bench.timings import Timings, fastest, milliseconds_of
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.geometry import invert_rigid
from rgbd_perception.open3d_loader import load_open3d

BLOCK_RESOLUTIONS = (8, 16)
_BLOCK_COUNT = 4000
_MILLIMETRES = 1000.0


def update_times(
    frames: Sequence[RgbdFrame], voxel_size: float, max_depth: float, untimed: int
) -> tuple[Timings, str]:
    """Times of finding the blocks of a frame and integrating depth and color, with the faster block size.

    Images are handed over as Open3D likes them best (uint16 millimetres, uint8 color); converting is not
    timed. The first ``untimed`` frames are not counted.
    """
    tried = [_times(frames, voxel_size, max_depth, side)[untimed:] for side in BLOCK_RESOLUTIONS]
    timings = [Timings(tuple(ms)) for ms in tried]
    best = fastest(timings)
    side = BLOCK_RESOLUTIONS[best]
    return timings[best], f"depth and color, CPU, blocks of {side}x{side}x{side} voxels"


def _times(frames: Sequence[RgbdFrame], voxel_size: float, max_depth: float, side: int) -> list[float]:
    o3d = load_open3d()
    core, image = o3d.core, o3d.t.geometry.Image
    grid = o3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight", "color"), (core.float32,) * 3, ((1,), (1,), (3,)),
        voxel_size, side, _BLOCK_COUNT, core.Device("CPU:0"),
    )  # fmt: skip

    def integrate(depth: Any, color: Any, intrinsic: Any, extrinsic: Any) -> None:
        scale = (_MILLIMETRES, max_depth)
        blocks = grid.compute_unique_block_coordinates(depth, intrinsic, extrinsic, *scale)
        grid.integrate(blocks, depth, color, intrinsic, intrinsic, extrinsic, *scale)

    times = []
    for frame in frames:
        assert frame.pose is not None  # by the scene
        depth = image(core.Tensor(np.rint(frame.depth * _MILLIMETRES).astype(np.uint16)))
        color = image(core.Tensor(frame.color))
        camera = core.Tensor(frame.intrinsics.matrix), core.Tensor(invert_rigid(frame.pose))
        times.append(milliseconds_of(lambda: integrate(depth, color, *camera)))  # noqa: B023
    return times
