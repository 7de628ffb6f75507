"""Point Cloud Data files 0.7 of the Point Cloud Library, binary: one point for each voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.export.points import Cloud, packed_rows

_KINDS = {"f": "F", "u": "U"}


def pcd_bytes(cloud: Cloud) -> bytes:
    """The file: x y z in metres, rgb (0x00RRGGBB in the bits of a float, as PCL has it), label, weight.

    Remarks of the header give frame, voxel size and the names of the labels.
    """
    voxels = cloud.voxels
    red, green, blue = voxels.colors.astype(np.uint32).T
    columns: list[tuple[str, NDArray[Any]]] = [
        *((axis, voxels.centers[:, index]) for index, axis in enumerate("xyz")),
        ("rgb", ((red << 16) | (green << 8) | blue).view(np.float32)),
        ("label", voxels.labels.astype(np.uint32)),  # as in pcl::PointXYZL
        ("weight", voxels.weights.astype(np.float32)),
    ]
    count = len(voxels.centers)
    header = [
        "# .PCD v0.7 - Point Cloud Data file format",
        *(f"# {remark}" for remark in cloud.remarks()),
        "VERSION 0.7",
        "FIELDS " + " ".join(name for name, _ in columns),
        "SIZE " + " ".join(str(values.dtype.itemsize) for _, values in columns),
        "TYPE " + " ".join(_KINDS[values.dtype.kind] for _, values in columns),
        "COUNT " + " ".join("1" for _ in columns),
        f"WIDTH {count}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {count}",
        "DATA binary\n",
    ]
    return "\n".join(header).encode("ascii") + packed_rows(columns)
