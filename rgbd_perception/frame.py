"""The values that flow through the system: camera, frame, prediction. Plain numpy, no ROS, no network.

Conventions (REP 103): metres, seconds, right-handed. Camera frames are optical: x right, y down, z forward.
The map frame is z-up. ``pose`` is the 4x4 rigid transform from the camera's optical frame to the map frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.vocabulary import UNKNOWN_LABEL

__all__ = ["UNKNOWN_LABEL", "CameraIntrinsics", "Prediction", "RgbdFrame"]


@dataclass(frozen=True)
class CameraIntrinsics:
    """Pinhole camera without distortion: focal lengths and principal point in pixels, image size in pixels.

    Pixel (0, 0) is the *centre* of the top left pixel, as in ``sensor_msgs/CameraInfo``.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy)
        if not all(np.isfinite(numbers)) or self.fx <= 0 or self.fy <= 0:
            raise FrameDropped("camera_info_invalid", f"fx, fy must be positive and finite, got {numbers}")
        if self.width <= 0 or self.height <= 0:
            raise FrameDropped("camera_info_invalid", f"image size {self.height}x{self.width} is empty")

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The 3x3 camera matrix K."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    def strided(self, stride: int) -> CameraIntrinsics:
        """Intrinsics of a grid whose cells cover ``stride`` x ``stride`` pixels (last cells may be cut).

        ``cx' = (cx + 0.5) / s - 0.5`` and ``fx' = fx / s``: cell (0, 0) is centred on its own pixels.
        """
        return CameraIntrinsics(
            fx=self.fx / stride,
            fy=self.fy / stride,
            cx=(self.cx + 0.5) / stride - 0.5,
            cy=(self.cy + 0.5) / stride - 0.5,
            width=-(-self.width // stride),
            height=-(-self.height // stride),
        )


@dataclass(frozen=True)
class RgbdFrame:
    """One instant of an RGB-D camera; depth is registered to color, color is rectified.

    color       (H, W, 3) uint8 rgb
    depth       (H, W) float32 metres; 0, negative, NaN and inf all mean "no measurement"
    intrinsics  of both images
    stamp_ns    nanoseconds of the camera's clock
    frame_id    name of the camera's optical frame
    pose        (4, 4) float64 camera (optical) to map, or None where it is not known

    Raises FrameDropped with a reason where an image has the wrong shape or type, where the sizes of color,
    depth and intrinsics differ (``depth_not_registered``, ``camera_info_mismatch``) and where the pose is not
    a finite rigid transform (``pose_invalid``).
    """

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: CameraIntrinsics
    stamp_ns: int = 0
    frame_id: str = ""
    pose: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.color.ndim != 3 or self.color.shape[2] != 3 or self.color.dtype != np.uint8:
            raise FrameDropped(
                "color_invalid", f"expected (H, W, 3) uint8, got {self.color.shape} {self.color.dtype}"
            )
        if self.depth.ndim != 2 or self.depth.dtype != np.float32:
            raise FrameDropped(
                "depth_invalid", f"expected (H, W) float32 metres, got {self.depth.shape} {self.depth.dtype}"
            )
        if self.depth.shape != self.color.shape[:2]:
            raise FrameDropped(
                "depth_not_registered",
                f"depth is {_size(self.depth.shape)}, color {_size(self.color.shape)}: "
                "use depth aligned to color",
            )
        if (self.intrinsics.height, self.intrinsics.width) != self.color.shape[:2]:
            raise FrameDropped(
                "camera_info_mismatch",
                f"camera info is for {self.intrinsics.height}x{self.intrinsics.width}, "
                f"color is {_size(self.color.shape)}",
            )
        if self.pose is not None:
            _check_pose(self.pose)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of color and depth."""
        return self.color.shape[0], self.color.shape[1]

    def with_pose(self, pose: NDArray[np.float64]) -> RgbdFrame:
        """The same frame seen from ``pose`` (4, 4)."""
        return replace(self, pose=pose)


@dataclass(frozen=True)
class Prediction:
    """What a network says about one frame, at the cells of a grid and (where asked for) at every pixel.

    A cell covers ``stride`` x ``stride`` color pixels, the grid is ceil(H / stride) x ceil(W / stride).

    cell_labels      (h, w) uint16 ids into the vocabulary, UNKNOWN_LABEL where unknown
    cell_confidence  (h, w) float32 in 0..1, softmax of calibrated logits
    stride           color pixels along one side of a cell
    embedding        (h, w, D) float16 or float32 unit vectors in ``text_space``, or None
    labels           (H, W) uint16, or None when only the grid was asked for
    confidence       (H, W) float32, or None likewise
    """

    cell_labels: NDArray[np.uint16]
    cell_confidence: NDArray[np.float32]
    stride: int
    embedding: NDArray[np.floating] | None = None
    labels: NDArray[np.uint16] | None = None
    confidence: NDArray[np.float32] | None = None
    model_id: str = ""
    text_space: str = ""
    vocabulary_id: str = ""
    step_ms: dict[str, float] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"stride must be at least 1, got {self.stride}")
        if self.cell_labels.shape != self.cell_confidence.shape:
            raise ValueError(f"cell labels {self.cell_labels.shape}, confidence {self.cell_confidence.shape}")
        if self.embedding is not None and self.embedding.shape[:2] != self.cell_labels.shape:
            raise ValueError(f"embedding grid {self.embedding.shape}, cell labels {self.cell_labels.shape}")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"


def _check_pose(pose: NDArray[np.float64]) -> None:
    if pose.shape != (4, 4) or not np.all(np.isfinite(pose)):
        raise FrameDropped("pose_invalid", "expected a finite 4x4 matrix")
    rotation = pose[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-2 or np.linalg.det(rotation) < 0:
        raise FrameDropped("pose_invalid", "its rotation is not orthonormal and right-handed")
