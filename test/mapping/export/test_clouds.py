"""PLY and PCD, read back by Open3D."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.export.pcd import pcd_bytes
from rgbd_perception.mapping.export.ply import ply_bytes
from rgbd_perception.mapping.export.points import Cloud
from rgbd_perception.mapping.report import VoxelArrays
from rgbd_perception.open3d_loader import load_open3d

NAMES = ("wall", 'a "quoted"\nname', "Stühle")


@pytest.fixture(scope="module")
def o3d():
    try:
        return load_open3d()
    except UserError as error:
        pytest.skip(str(error))


def _cloud(count: int) -> Cloud:
    rng = np.random.default_rng(count)
    voxels = VoxelArrays(
        centers=rng.normal(0, 100, (count, 3)).astype(np.float32),
        colors=rng.integers(0, 256, (count, 3)).astype(np.uint8),
        labels=rng.choice(np.array([0, 2, 300, 65535], np.uint16), count),
        weights=rng.uniform(0, 50, count).astype(np.float32),
        last_seen=np.zeros(count, np.int64),
    )
    return Cloud(voxels, NAMES, "map", 0.05)


@pytest.mark.parametrize("suffix", ["ply", "pcd"])
@pytest.mark.parametrize("count", [1, 1000])
def test_open3d_reads_what_was_written(o3d, tmp_path, suffix, count):
    cloud = _cloud(count)
    path = tmp_path / f"cloud.{suffix}"
    path.write_bytes(ply_bytes(cloud) if suffix == "ply" else pcd_bytes(cloud))
    read = o3d.t.io.read_point_cloud(str(path))
    voxels = cloud.voxels
    np.testing.assert_array_equal(read.point.positions.numpy(), voxels.centers)
    np.testing.assert_array_equal(read.point.colors.numpy(), voxels.colors)
    np.testing.assert_array_equal(read.point["label"].numpy()[:, 0], voxels.labels)
    np.testing.assert_array_equal(read.point["weight"].numpy()[:, 0], voxels.weights)


@pytest.mark.parametrize("write", [ply_bytes, pcd_bytes])
def test_the_header_names_the_labels_in_one_line_each(write):
    header = write(_cloud(0)).decode("ascii").splitlines()
    prefix = "comment" if write is ply_bytes else "#"
    assert [line for line in header if line.startswith(f"{prefix} label")] == [
        f'{prefix} label 0 "wall"',
        f'{prefix} label 1 "a \\"quoted\\"\\nname"',
        f'{prefix} label 2 "St\\u00fchle"',
    ]
    assert f'{prefix} frame_id "map"' in header
    assert f"{prefix} voxel_size 0.05" in header
