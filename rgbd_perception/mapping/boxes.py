"""Upright oriented boxes around voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.box_pictures import Pictures, pictures_of_keys
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.selection import NO_NAN, ranked_by_weight
from rgbd_perception.mapping.threads import Runner, run_in_turn

_OUTLIERS = 0.02
"""Share of the voxels at either end of an axis that may stick out of the box."""
_MOST_COLUMNS, _FEW_COLUMNS = 512, 128
"""Columns of voxels that decide the angle, and of them those that tell where to look for it."""
_PRIME = 7919
"""Multiples of it reach every column, because it is larger than their number."""
_COARSE_DEGREES = 2.0
_FINE_DEGREES = 0.25
_FIRST_STRIDE = 16
"""Angles are tried from this many of them apart to neighbours."""
_SAME = 1e-9
"""Areas (m2) and lengths (m) that differ by less are equal: rounding must not choose between them."""
_AREA_MARGIN = 1e-6
"""Square metres that an angle must be worse by to make no difference at all, not even between others that
are the same."""
_MOST_SKIPPED = int(_OUTLIERS * _MOST_COLUMNS)
_BOXES_AT_LEAST = 16
"""Fewer boxes are not worth another thread."""


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


class BoxArrays(NamedTuple):
    """Boxes as columns, as OrientedBox has them: centers (n, 3), sizes (n, 3) in metres, yaws (n,)."""

    centers: NDArray[np.float64]
    sizes: NDArray[np.float64]
    yaws: NDArray[np.float64]

    def box(self, index: int) -> OrientedBox:
        """One of them."""
        return OrientedBox(self.centers[index], self.sizes[index], float(self.yaws[index]))


def oriented_boxes(
    keys: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    voxel_size: float,
    run: Runner = run_in_turn,
) -> BoxArrays:
    """Fit upright boxes to groups of voxels: box i to those with the keys ``keys[starts[i] : ends[i]]``, in
    any order, none twice, no group empty.

    Its yaw gives the rectangle of least area around the footprint, its faces leave out the outermost 2 % of
    the voxels on each side. Centres of voxels span, on average, the extent of the surface that was measured;
    a side is never thinner than a voxel.
    """
    keys = np.array(keys, np.int64)  # as those of blocks, so that the kernels are compiled once
    count = starts.size
    boxes = BoxArrays(np.empty((count, 3)), np.empty((count, 3)), np.empty(count))

    def fit(first: int, last: int) -> None:
        part = slice(first, last)
        _fit_boxes(
            keys, starts[part], ends[part], voxel_size, boxes.centers[part], boxes.sizes[part],
            boxes.yaws[part],
        )  # fmt: skip

    run(fit, count, _BOXES_AT_LEAST)
    return boxes


@kernel
def _footprint(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most _MOST_COLUMNS spread over all (2, n) columns.

    In no order: among sorted ones every one would be the outermost so far.
    """
    stride = -(-columns.shape[1] // _MOST_COLUMNS)
    footprint = np.empty((2, -(-columns.shape[1] // stride)))
    chosen, step = 0, _PRIME % footprint.shape[1]
    for place in range(footprint.shape[1]):
        footprint[0, place], footprint[1, place] = columns[0, chosen * stride], columns[1, chosen * stride]
        chosen += step
        if chosen >= footprint.shape[1]:
            chosen -= footprint.shape[1]
    return footprint


@kernel(fastmath=NO_NAN)
def _ranges(values: NDArray[np.float64], skipped: int, best: NDArray[np.float64]) -> tuple[float, float]:
    """How far the (n,) values reach after ``skipped`` of them were left out at either end, and with all.

    ``best`` (2, _MOST_SKIPPED + 1) is scratch: the outermost values so far, the outermost first. Almost
    every value is turned away by one comparison with the last of them.
    """
    least, largest = np.inf, -np.inf
    if skipped == 0:
        for value in values:
            least, largest = min(least, value), max(largest, value)
        return largest - least, largest - least
    best[0, : skipped + 1], best[1, : skipped + 1] = np.inf, -np.inf
    for value in values:
        if value < least:
            place = skipped
            while place > 0 and best[0, place - 1] > value:
                best[0, place] = best[0, place - 1]
                place -= 1
            best[0, place] = value
            least = best[0, skipped]
        if value > largest:
            place = skipped
            while place > 0 and best[1, place - 1] < value:
                best[1, place] = best[1, place - 1]
                place -= 1
            best[1, place] = value
            largest = best[1, skipped]
    return largest - least, best[1, 0] - best[0, 0]


@kernel
def _least_area_yaw(
    footprint: NDArray[np.float64], first: float, step: float, count: int, voxel_size: float
) -> float:
    """Angle in degrees, of ``count`` from ``first`` on, of the rectangle of least area around the (2, n)
    footprint without its outliers; of angles whose areas are the same, the first.

    Most angles are not tried. When a rectangle turns by t, its length L and width W without outliers become
    at least cos(t) L - sin(t) W' and cos(t) W - sin(t) L' with the L' and W' of all columns: each column
    moves along one side by no more than its place along the other side says.
    """
    skipped = int(_OUTLIERS * footprint.shape[1])
    scratch = np.empty((2, _MOST_SKIPPED + 1))
    along, across = np.empty(footprint.shape[1]), np.empty(footprint.shape[1])
    areas, bounds = np.full(count, np.inf), np.zeros(count)
    enough, stride = np.inf, _FIRST_STRIDE
    while stride > 0:
        for number in range(0, count, stride):
            if areas[number] < np.inf or bounds[number] > enough:
                continue
            angle = np.radians(first + number * step)
            cosine, sine = np.cos(angle), np.sin(angle)
            for i in range(along.size):
                along[i] = cosine * footprint[0, i] + sine * footprint[1, i]
                across[i] = cosine * footprint[1, i] - sine * footprint[0, i]
            length, whole_length = _ranges(along, skipped, scratch)
            width, whole_width = _ranges(across, skipped, scratch)
            # A voxel more on each side: otherwise any diagonal of a thin line of voxels has no area at all.
            areas[number] = (length + voxel_size) * (width + voxel_size)
            enough = min(enough, areas[number] * (1 + 1e-9) + _AREA_MARGIN)
            for other in range(count):
                turn = np.radians(abs(other - number) * step)
                less = 1 - turn * turn / 2  # than the cosine; and the sine is less than the angle
                long = max(less * length - turn * whole_width, 0.0) + voxel_size
                wide = max(less * width - turn * whole_length, 0.0) + voxel_size
                bounds[other] = max(bounds[other], long * wide)
        stride //= 2
    best, smallest = 0, np.inf
    for number in range(count):
        if areas[number] < smallest - _SAME:
            best, smallest = number, areas[number]
    return first + best * step


@kernel
def _middle_ranks(counts: NDArray[np.int32], skipped: int) -> tuple[int, int]:
    """First and last place (n,) of what remains when ``skipped`` were taken away at either end."""
    low, left = 0, skipped
    while left >= counts[low]:
        left -= counts[low]
        low += 1
    high, left = counts.size - 1, skipped
    while left >= counts[high]:
        left -= counts[high]
        high -= 1
    return low, high


@kernel
def _fit_boxes(
    keys: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    voxel_size: float,
    centers: NDArray[np.float64],
    sizes: NDArray[np.float64],
    yaws: NDArray[np.float64],
) -> None:
    for box in range(starts.size):
        pictures = pictures_of_keys(keys[starts[box] : ends[box]])
        yaws[box] = fit_box(pictures, voxel_size, centers[box], sizes[box])


@kernel
def fit_box(
    pictures: Pictures, voxel_size: float, center: NDArray[np.float64], size: NDArray[np.float64]
) -> float:
    """Write ``center`` (3,) and ``size`` (3,) of the box that ``oriented_boxes`` gives, return its yaw."""
    columns = pictures.middles * voxel_size
    footprint = _footprint(columns)
    few = footprint[:, :: -(-footprint.shape[1] // _FEW_COLUMNS)].copy()
    coarse = _least_area_yaw(few, 0.0, _COARSE_DEGREES, int(90 / _COARSE_DEGREES), voxel_size)
    around = 2 * int(_COARSE_DEGREES / _FINE_DEGREES) + 1
    yaw = np.radians(_least_area_yaw(footprint, coarse - _COARSE_DEGREES, _FINE_DEGREES, around, voxel_size))
    cosine, sine = np.cos(yaw), np.sin(yaw)
    number = pictures.voxels.sum()
    skipped = int(_OUTLIERS * number)
    middle = np.empty(2)
    for axis, (x, y) in enumerate(((cosine, sine), (-sine, cosine))):
        along = columns[0] * x + columns[1] * y
        low, high = ranked_by_weight(along, pictures.voxels, skipped, number - 1 - skipped)
        size[axis], middle[axis] = max(high - low, voxel_size), (low + high) / 2
    lowest, highest = _middle_ranks(pictures.heights, skipped)
    low, high = (pictures.bottom + lowest + 0.5) * voxel_size, (pictures.bottom + highest + 0.5) * voxel_size
    size[2] = max(high - low, voxel_size)
    center[0] = cosine * middle[0] - sine * middle[1]
    center[1] = sine * middle[0] + cosine * middle[1]
    center[2] = (low + high) / 2
    if size[0] < size[1] - _SAME:
        size[0], size[1] = size[1], size[0]
        yaw += np.pi / 2
    return (yaw + np.pi / 2) % np.pi - np.pi / 2


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
