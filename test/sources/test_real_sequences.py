"""Every real sequence plays whole, and its frames fit together in space."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from rgbd_perception.frame import RgbdFrame
from rgbd_perception.sources import SourceOptions, open_source


def _points(frame: RgbdFrame, stride: int, moved: bool = True) -> NDArray[np.float64]:
    """The points of every ``stride``-th pixel, in the map frame or (not ``moved``) in the camera's own."""
    sparse = np.zeros_like(frame.depth)
    sparse[::stride, ::stride] = frame.depth[::stride, ::stride]
    rows, columns = np.nonzero(sparse)
    depth = sparse[rows, columns].astype(np.float64)
    camera = frame.intrinsics
    x, y = (columns - camera.cx) / camera.fx * depth, (rows - camera.cy) / camera.fy * depth
    points = np.stack([x, y, depth], axis=1)
    assert frame.pose is not None
    return points @ frame.pose[:3, :3].T + frame.pose[:3, 3] if moved else points


def _gap(first: RgbdFrame, second: RgbdFrame, moved: bool) -> float:
    """Median distance in metres from the points of one frame to the nearest of the other."""
    distances, _ = cKDTree(_points(first, 3, moved)).query(_points(second, 12, moved))
    return float(np.median(distances))


@pytest.mark.parametrize(
    ("name", "count", "step", "distance"),
    [("redkitchen", 80, 8, 0.025), ("hololens_office", 48, 2, 0.02), ("apc_shelf", 15, 1, 0.01)],
)
def test_real_sequences_play_and_fit_together(
    shared_data: Path, name: str, count: int, step: int, distance: float
) -> None:
    # The noise behind the shelf is beyond two metres; the other rooms are well within six.
    options = SourceOptions(max_depth=1.5 if name == "apc_shelf" else 6.0)
    source = open_source(str(shared_data / name), options)
    frames = list(source)
    assert len(frames) == len(source) == count
    assert not source.skipped
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))
    chosen = list(islice(frames, 0, None, step))
    gaps = [_gap(first, second, moved=True) for first, second in pairwise(chosen)]
    without_poses = [_gap(first, second, moved=False) for first, second in pairwise(chosen)]
    print(f"{name}: {np.median(gaps) * 1e3:.1f} mm, {np.median(without_poses) * 1e3:.1f} mm without poses")
    assert np.median(gaps) < distance
    assert np.median(gaps) < 0.6 * np.median(without_poses)
