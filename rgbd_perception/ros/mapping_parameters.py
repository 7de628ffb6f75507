"""The parameters of the node ``mapping``. Those of the map itself are the fields of ``MapConfig``."""

from __future__ import annotations

from dataclasses import dataclass

from rgbd_perception.ros.parameters import parameter
from rgbd_perception.ros.pose_source import POSE_SOURCES
from rgbd_perception.ros.qos import RELIABILITIES


@dataclass(frozen=True)
class MappingParameters:
    """Read once at the start; the node declares them together with those of ``MapConfig``."""

    pose_source: str = parameter("tf", "where the pose of the camera comes from", choices=POSE_SOURCES)
    map_frame: str = parameter("map", "the fixed frame, z up, that poses, map and answers are in")
    camera_in_child: tuple[float, ...] = parameter(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        "for odometry: x y z qx qy qz qw of the camera's optical frame in the odometry's child frame",
    )
    pose_wait: float = parameter(
        0.5,
        "longest time a frame waits for its pose or for the class names",
        unit="s",
        minimum=0.0,
        maximum=10.0,
    )
    pose_reliability: str = parameter(
        "best_effort",
        "quality of service of the pose topics; reliable hears only reliable ones",
        choices=RELIABILITIES,
    )
    map_file: str = parameter(
        "", "map file of autosave and load_on_start, and of ~/save_map with an empty path"
    )
    load_on_start: bool = parameter(False, "go on with the map in map_file, if that file exists")
    autosave: bool = parameter(False, "save the map to map_file now and then, and at the end")
    autosave_interval: float = parameter(60.0, "time between two autosaves", unit="s", minimum=1.0)
    voxels_period: float = parameter(2.0, "time between two ~/voxels", unit="s", minimum=0.1)
    objects_period: float = parameter(
        1.0, "time between two ~/objects and ~/object_markers", unit="s", minimum=0.1
    )
    occupancy_period: float = parameter(
        5.0, "least time between two ~/occupancy, which comes when the map has changed", unit="s", minimum=0.1
    )
    preload_text_encoder: bool = parameter(
        True, "load the text encoder when the class names arrive, not at the first query"
    )
    autostart: bool = parameter(
        True, "configure and activate at the start; false: a lifecycle manager does it"
    )
    diagnostics_period: float = parameter(1.0, "time between two diagnostics", unit="s", minimum=0.05)
