"""The voxel map: fusion of predictions, text queries, objects, files. No ROS and no networks in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rgbd_perception.mapping.ahead import warm_up
    from rgbd_perception.mapping.config import MapConfig
    from rgbd_perception.mapping.objects import MapObject
    from rgbd_perception.mapping.point_query import PointAnswer
    from rgbd_perception.mapping.query import Answer, QueryResult, Region
    from rgbd_perception.mapping.report import IntegrateReport, VoxelArrays
    from rgbd_perception.mapping.scoring import ScoreCalibration
    from rgbd_perception.mapping.voxel_map import VoxelMap

_HOME = {
    "Answer": "query",
    "IntegrateReport": "report",
    "MapConfig": "config",
    "MapObject": "objects",
    "PointAnswer": "point_query",
    "QueryResult": "query",
    "Region": "query",
    "ScoreCalibration": "scoring",
    "VoxelArrays": "report",
    "VoxelMap": "voxel_map",
    "warm_up": "ahead",
}

__all__ = [
    "Answer",
    "IntegrateReport",
    "MapConfig",
    "MapObject",
    "PointAnswer",
    "QueryResult",
    "Region",
    "ScoreCalibration",
    "VoxelArrays",
    "VoxelMap",
    "warm_up",
]


def __getattr__(name: str) -> Any:
    """Import on first use: numba costs most of a second, which `--help` must not pay."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
