"""The parameters of the node ``perception``."""

from __future__ import annotations

from dataclasses import dataclass

from rgbd_perception.camera_model import DISTORTION_POLICIES, RECTIFY
from rgbd_perception.ros.parameters import parameter
from rgbd_perception.ros.qos import RELIABILITIES

AUTO, ALWAYS, NEVER = "auto", "always", "never"
PREPARE_AHEAD = (AUTO, ALWAYS, NEVER)
"""When a frame is prepared beside the network of the one before. Not "on": YAML reads that as true."""


@dataclass(frozen=True)
class PerceptionParameters:
    """Read once at the start; see the descriptions (``ros2 param describe`` shows them too)."""

    model: str = parameter("rgbd_mini", "network: the name of a model or a weights file")
    untrained: bool = parameter(
        False, "run a network without trained weights with random ones: the labels mean nothing"
    )
    backend: str = parameter("auto", "what runs the network: auto, torch, or another installed backend")
    labels: tuple[str, ...] = parameter((), "class names for the masks; empty: those of the model")
    network_threads: int = parameter(
        0, "CPU threads of the network; 0: half of the cores, the others are for mapping and ROS", minimum=0
    )
    prepare_ahead: str = parameter(
        AUTO,
        "whether a frame is converted, rectified and shrunk while the network computes the one before; auto: "
        "where the network is not on the processor, which then has cores to spare",
        choices=PREPARE_AHEAD,
    )
    slop: float = parameter(
        0.02, "largest distance in time of color and depth", unit="s", minimum=0.0, maximum=1.0
    )
    max_wait: float = parameter(
        0.5, "how long a color image waits for depth and camera info", unit="s", minimum=0.01, maximum=10.0
    )
    max_rate: float = parameter(0.0, "most frames to process per second; 0: no limit", unit="Hz", minimum=0.0)
    distortion: str = parameter(
        RECTIFY,
        "what to do when camera_info has distortion: rectify the images, refuse the frames, or ignore it "
        "because the images are rectified already (then the camera matrix is P)",
        choices=DISTORTION_POLICIES,
    )
    reliability: str = parameter(
        "best_effort",
        "quality of service of the inputs; reliable hears only reliable cameras",
        choices=RELIABILITIES,
    )
    frame_color: bool = parameter(True, "put the color image into ~/frame (needed for pictures of the map)")
    autostart: bool = parameter(
        True, "configure and activate at the start; false: a lifecycle manager does it"
    )
    diagnostics_period: float = parameter(1.0, "time between two diagnostics", unit="s", minimum=0.05)
