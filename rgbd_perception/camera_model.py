"""``sensor_msgs/CameraInfo`` to intrinsics, and rectification of color and depth where the lens distorts.

No ROS import: messages of a live topic and of a bag have the same fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import CameraIntrinsics

RECTIFY = "rectify"
REFUSE = "refuse"
IGNORE = "ignore"
DISTORTION_POLICIES = (RECTIFY, REFUSE, IGNORE)
"""What to do with a camera that declares distortion: rectify its images; drop its frames; or believe that the
images are rectified already (image_proc passes the camera_info of the raw image on), with the matrix P."""

_NEGLIGIBLE = 1e-9
_PINHOLE_MODELS = ("plumb_bob", "rational_polynomial", "")
_FISHEYE_MODELS = ("equidistant", "fisheye")


class CameraInfo(Protocol):
    """The fields of ``sensor_msgs/CameraInfo`` that matter here."""

    height: int
    width: int
    distortion_model: str
    d: Any
    k: Any
    p: Any
    binning_x: int
    binning_y: int
    roi: Any


@dataclass(frozen=True)
class CameraModel:
    """Intrinsics of the images after :meth:`rectify`, and where each of their pixels is in the raw images."""

    intrinsics: CameraIntrinsics
    maps: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def rectify(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Color and depth of an ideal pinhole camera; what the lens did not see is black and without depth.

        Depth is sampled, never interpolated: a mean of foreground and background is a surface nobody has.
        Images of another size than the camera info are returned as they are: RgbdFrame names that drop.
        """
        size = (self.intrinsics.height, self.intrinsics.width)
        if self.maps is None or color.shape[:2] != size or depth.shape != size:
            return color, depth
        import cv2

        return (
            np.asarray(cv2.remap(color, *self.maps, cv2.INTER_LINEAR), dtype=np.uint8),
            np.asarray(cv2.remap(depth, *self.maps, cv2.INTER_NEAREST), dtype=np.float32),
        )


class CameraModels:
    """The model of the latest camera info; rebuilt (rectification maps included) only when it changes.

    Thread-safe.
    """

    def __init__(self, policy: str = RECTIFY) -> None:
        self._policy = policy
        self._latest: tuple[tuple[Any, ...], CameraModel] | None = None

    def model(self, info: CameraInfo) -> CameraModel:
        """The model of ``info``. Raises FrameDropped, see :func:`camera_model`."""
        key = _identity(info)
        latest = self._latest
        if latest is None or key != latest[0]:
            latest = self._latest = key, camera_model(info, self._policy)
        return latest[1]


def camera_model(info: CameraInfo, policy: str = RECTIFY) -> CameraModel:
    """The camera of the images that come with ``info``: region of interest and binning applied.

    Raises FrameDropped: ``camera_info_invalid`` (K of zeros, NaN, sizes of zero, a region outside of the
    sensor), ``distorted`` (policy ``refuse``), ``distortion_unsupported`` (a model or number of coefficients
    that OpenCV does not know).
    """
    matrix = np.asarray(info.k, dtype=np.float64).reshape(3, 3)
    projection = np.asarray(info.p, dtype=np.float64).reshape(3, 4)[:, :3]
    coefficients = np.asarray(info.d, dtype=np.float64)
    if policy != IGNORE and not np.all(np.isfinite(coefficients)):
        raise FrameDropped("camera_info_invalid", f"D is {list(info.d)}")
    distorted = bool(np.any(np.abs(coefficients) > _NEGLIGIBLE))
    if distorted and policy == REFUSE:
        raise FrameDropped("distorted", f"D is {list(info.d)}: rectify the images, or let them be rectified")
    if policy == IGNORE and projection[0, 0] > 0:
        matrix = projection
    intrinsics = _intrinsics(info, matrix)
    maps = _rectification_maps(info, intrinsics) if distorted and policy == RECTIFY else None
    return CameraModel(intrinsics, maps)


def _intrinsics(info: CameraInfo, matrix: NDArray[np.float64]) -> CameraIntrinsics:
    """Of the delivered image: a region of the sensor, of which ``binning`` pixels make one."""
    roi = info.roi
    width, height = roi.width or info.width, roi.height or info.height
    if roi.x_offset + width > info.width or roi.y_offset + height > info.height:
        raise FrameDropped(
            "camera_info_invalid",
            f"the region {height}x{width} at ({roi.x_offset}, {roi.y_offset}) "
            f"is outside {info.height}x{info.width}",
        )
    binning_x, binning_y = max(1, info.binning_x), max(1, info.binning_y)
    return CameraIntrinsics(
        fx=matrix[0, 0] / binning_x,
        fy=matrix[1, 1] / binning_y,
        # Pixel (0, 0) is a centre: the same half-pixel rule as for every grid of this package.
        cx=(matrix[0, 2] - roi.x_offset + 0.5) / binning_x - 0.5,
        cy=(matrix[1, 2] - roi.y_offset + 0.5) / binning_y - 0.5,
        width=width // binning_x,
        height=height // binning_y,
    )


def _rectification_maps(
    info: CameraInfo, camera: CameraIntrinsics
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Float maps (x, y) of (H, W) for cv2.remap. R is not applied: the optical frame stays as it is."""
    import cv2

    model, matrix, size = info.distortion_model, camera.matrix, (camera.width, camera.height)
    coefficients = np.asarray(info.d, dtype=np.float64)
    try:
        if model in _FISHEYE_MODELS:
            maps = cv2.fisheye.initUndistortRectifyMap(
                matrix, coefficients[:4], np.eye(3), matrix, size, cv2.CV_32FC1
            )
        elif model in _PINHOLE_MODELS:
            maps = cv2.initUndistortRectifyMap(matrix, coefficients, None, matrix, size, cv2.CV_32FC1)
        else:
            known = ", ".join(name for name in (*_PINHOLE_MODELS, *_FISHEYE_MODELS) if name)
            raise FrameDropped("distortion_unsupported", f"expected one of {known}, got '{model}'")
    except cv2.error as error:
        raise FrameDropped(
            "distortion_unsupported", f"'{model}' with {coefficients.size} coefficients: {error.err}"
        ) from error
    return np.asarray(maps[0], dtype=np.float32), np.asarray(maps[1], dtype=np.float32)


def _identity(info: CameraInfo) -> tuple[Any, ...]:
    roi = info.roi
    region = (roi.x_offset, roi.y_offset, roi.width, roi.height, info.binning_x, info.binning_y)
    camera = (info.height, info.width, info.distortion_model, *info.d)
    return (*camera, *region, *np.asarray(info.k).tolist(), *np.asarray(info.p).tolist())
