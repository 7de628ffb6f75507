"""The rows of a point cloud file: what PLY and PCD have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.report import VoxelArrays


@dataclass(frozen=True)
class Cloud:
    """Voxels to be written, and what their file says about them: the names of the label ids and the frame."""

    voxels: VoxelArrays
    label_names: Sequence[str]
    frame_id: str
    voxel_size: float

    def remarks(self) -> list[str]:
        """Lines of ASCII for the header: frame, voxel size and one ``label ID "NAME"`` for each class."""
        return [
            f"frame_id {json.dumps(self.frame_id)}",
            f"voxel_size {self.voxel_size:g}",
            *(f"label {index} {json.dumps(name)}" for index, name in enumerate(self.label_names)),
        ]


def packed_rows(columns: Sequence[tuple[str, NDArray[Any]]]) -> bytes:
    """Named columns of n values each, as n little endian rows without padding."""
    layout = np.dtype([(name, values.dtype.newbyteorder("<")) for name, values in columns])
    rows = np.empty(columns[0][1].size, layout)
    for name, values in columns:
        rows[name] = values
    return rows.tobytes()
