"""Upright oriented boxes around voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

_OUTLIERS = 0.02
"""Share of the voxels at either end of an axis that may stick out of the box."""
_MOST_COLUMNS = 512
_COARSE_DEGREES = 2.0
_FINE_DEGREES = 0.25


@dataclass(frozen=True)
class OrientedBox:
    """center (3,) and size (3,) in metres, size along the box's own axes; yaw in radians about z.

    The box's x axis is its longer horizontal one, so yaw lies in [-pi/2, pi/2).
    """

    center: NDArray[np.float64]
    size: NDArray[np.float64]
    yaw: float

    @property
    def bottom(self) -> float:
        """Height of the lower face."""
        return float(self.center[2] - self.size[2] / 2)

    @property
    def top(self) -> float:
        """Height of the upper face."""
        return float(self.center[2] + self.size[2] / 2)

    @property
    def position(self) -> tuple[float, float, float]:
        """The centre, rounded to a tenth of a millimetre."""
        return _rounded(self.center)

    @property
    def extent(self) -> tuple[float, float, float]:
        """The size, rounded likewise."""
        return _rounded(self.size)


def _rounded(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 4) for value in values)
    return x, y, z


def oriented_box(points: NDArray[np.floating], voxel_size: float) -> OrientedBox:
    """Fit an upright box to (n, 3) voxel centres, n >= 1.

    Its yaw gives the rectangle of least area around the footprint, its faces leave out the outermost 2 % of
    the voxels on each side. Centres of voxels span, on average, the extent of the surface that was measured;
    a side is never thinner than a voxel.
    """
    footprint = _columns(np.asarray(points[:, :2], np.float64), voxel_size)
    coarse = _least_area_yaw(footprint, np.arange(0.0, 90.0, _COARSE_DEGREES), voxel_size)
    around = np.arange(-_COARSE_DEGREES, _COARSE_DEGREES + _FINE_DEGREES / 2, _FINE_DEGREES)
    yaw = math.radians(_least_area_yaw(footprint, coarse + around, voxel_size))

    axes = np.array(
        [[math.cos(yaw), math.sin(yaw), 0.0], [-math.sin(yaw), math.cos(yaw), 0.0], [0.0, 0.0, 1.0]]
    )
    low, high = _trimmed_range(np.asarray(points, np.float64) @ axes.T)
    size = np.maximum(high - low, voxel_size)
    center = axes.T @ ((low + high) / 2)
    if size[0] < size[1]:
        size[[0, 1]] = size[[1, 0]]
        yaw += math.pi / 2
    return OrientedBox(center, size, (yaw + math.pi / 2) % math.pi - math.pi / 2)


def _columns(horizontal: NDArray[np.float64], voxel_size: float) -> NDArray[np.float64]:
    """One point for each vertical column of voxels, of at most _MOST_COLUMNS columns spread over all."""
    cells = np.floor(horizontal / voxel_size).astype(np.int64)
    first = np.unique((cells[:, 0] << 32) + cells[:, 1], return_index=True)[1]
    return horizontal[first[:: -(-first.size // _MOST_COLUMNS)]]


def _trimmed_range(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least and largest of each column of (n, k) without the outliers."""
    ordered = np.sort(values, axis=0)
    skipped = int(_OUTLIERS * values.shape[0])
    return ordered[skipped], ordered[values.shape[0] - 1 - skipped]


@kernel
def _trimmed_length(values: NDArray[np.float64], skipped: int) -> float:
    """Largest minus least after ``skipped`` values were left out at either end; ``values`` is reordered."""
    for end in range(skipped + 1):
        low, high = end, values.size - 1 - end
        for i in range(low, high + 1):
            if values[i] < values[low]:
                values[i], values[low] = values[low], values[i]
        for i in range(low, high + 1):
            if values[i] > values[high]:
                values[i], values[high] = values[high], values[i]
    return values[values.size - 1 - skipped] - values[skipped]


@kernel
def _least_area_yaw(footprint: NDArray[np.float64], degrees: NDArray[np.float64], voxel_size: float) -> float:
    """Angle (of ``degrees``) of the rectangle of least area around the (n, 2) footprint without its
    outliers."""
    count = footprint.shape[0]
    skipped = int(_OUTLIERS * count)
    along, across = np.empty(count), np.empty(count)
    best, least = degrees[0], np.inf
    for angle in degrees:
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        for i in range(count):
            along[i] = cosine * footprint[i, 0] + sine * footprint[i, 1]
            across[i] = cosine * footprint[i, 1] - sine * footprint[i, 0]
        # A voxel more on each side: otherwise any diagonal of a thin line of voxels has no area at all.
        length, width = _trimmed_length(along, skipped), _trimmed_length(across, skipped)
        area = (length + voxel_size) * (width + voxel_size)
        if area < least - 1e-9:
            best, least = angle, area
    return best


def box_overlap(first: OrientedBox, second: OrientedBox) -> float:
    """Intersection over union (0..1) of the volumes of two boxes."""
    low = max(first.bottom, second.bottom)
    high = min(first.top, second.top)
    shared = footprint_overlap(first, second) * max(0.0, high - low)
    union = float(np.prod(first.size) + np.prod(second.size)) - shared
    return shared / union if union > 0 else 0.0


def footprint_overlap(first: OrientedBox, second: OrientedBox) -> float:
    """Area (m2) that the footprints of two boxes share, seen from above."""
    import cv2

    # Seen from the first box: OpenCV computes in single precision, which far from the origin is coarse.
    place, turn = seen_from(first, second)
    rectangles = (
        ([0.0, 0.0], first.size[:2].tolist(), 0.0),
        (place.tolist(), second.size[:2].tolist(), math.degrees(turn)),
    )
    _, corners = cv2.rotatedRectangleIntersection(*rectangles)
    return 0.0 if corners is None else float(cv2.contourArea(cv2.convexHull(corners)))


def seen_from(first: OrientedBox, second: OrientedBox) -> tuple[NDArray[np.float64], float]:
    """Horizontal place (2,) of the centre of ``second`` and its yaw in the axes of ``first``."""
    x, y = (second.center - first.center)[:2]
    cosine, sine = math.cos(first.yaw), math.sin(first.yaw)
    return np.array([cosine * x + sine * y, cosine * y - sine * x]), second.yaw - first.yaw


def box_contains(box: OrientedBox, point: NDArray[np.floating], grown: float = 0.0) -> bool:
    """Whether ``point`` (3,) lies in the box after each face was moved outward by ``grown`` metres."""
    difference = np.asarray(point, np.float64) - box.center
    cosine, sine = math.cos(box.yaw), math.sin(box.yaw)
    local = (
        cosine * difference[0] + sine * difference[1],
        cosine * difference[1] - sine * difference[0],
        difference[2],
    )
    return bool(np.all(np.abs(local) <= box.size / 2 + grown))
