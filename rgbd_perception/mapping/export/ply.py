"""Polygon File Format (Turk 1994), binary little endian: one vertex for each voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.export.points import Cloud, packed_rows

_TYPES = {"float32": "float", "uint8": "uchar", "int32": "int"}


def ply_bytes(cloud: Cloud) -> bytes:
    """The file: x y z in metres, red green blue, label (id, 65535 unknown) and weight of every voxel.

    Comments of the header give frame, voxel size and the names of the labels.
    """
    voxels = cloud.voxels
    columns: list[tuple[str, NDArray[Any]]] = [
        *((axis, voxels.centers[:, index]) for index, axis in enumerate("xyz")),
        *((name, voxels.colors[:, index]) for index, name in enumerate(("red", "green", "blue"))),
        ("label", voxels.labels.astype(np.int32)),  # Open3D leaves out properties of 16 bits
        ("weight", voxels.weights.astype(np.float32)),
    ]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {remark}" for remark in cloud.remarks()),
        f"element vertex {len(voxels.centers)}",
        *(f"property {_TYPES[values.dtype.name]} {name}" for name, values in columns),
        "end_header\n",
    ]
    return "\n".join(header).encode("ascii") + packed_rows(columns)
