"""A map seen from above, with the ceiling taken off."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUND = (247, 247, 245)
CEILING_CUT_M = 1.9
"""Voxels higher than this above the floor are left out, so that one looks into the rooms."""


@dataclass(frozen=True)
class TopView:
    """A picture and where it lies: ``image`` (h, w, 3) uint8 rgb, +x to the right, +y up.

    ``origin_xy`` is the map position, in metres, of the picture's lower left corner.
    """

    image: NDArray[np.uint8]
    origin_xy: tuple[float, float]
    metres_per_pixel: float

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Column and row of a map position (metres)."""
        column = (x - self.origin_xy[0]) / self.metres_per_pixel
        row = self.image.shape[0] - (y - self.origin_xy[1]) / self.metres_per_pixel
        return column, row

    def box_outline(
        self, position: NDArray[np.floating], size: NDArray[np.floating], yaw: float
    ) -> list[tuple[float, float]]:
        """The four corners, in pixels, of an oriented box seen from above."""
        half = np.asarray(size, dtype=np.float64)[:2] / 2
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        return [self.pixel(x, y) for x, y in corners @ turn.T + np.asarray(position)[:2]]


def draw_top_view(
    centers: NDArray[np.floating], colors: NDArray[np.uint8], voxel_size: float, size: tuple[int, int]
) -> TopView:
    """Draw the highest voxel below the ceiling in every column of the map.

    centers (N, 3) metres in the z-up map frame, colors (N, 3) uint8 rgb, size (height, width) of the picture.
    Higher voxels are drawn a little brighter, so that furniture stands out from the floor.
    """
    height, width = size
    if len(centers) == 0:
        return TopView(np.full((height, width, 3), BACKGROUND, np.uint8), (0.0, 0.0), 0.01)
    floor = float(np.percentile(centers[:, 2], 2))
    below = centers[:, 2] < floor + CEILING_CUT_M
    points = centers[below]
    brightness = 0.8 + 0.3 * np.clip((points[:, 2] - floor) / CEILING_CUT_M, 0, 1)
    paint = np.clip(colors[below] * brightness[:, None], 0, 255).astype(np.uint8)

    columns_xy = np.floor(points[:, :2] / voxel_size).astype(np.intp)
    low, high = columns_xy.min(axis=0) - 2, columns_xy.max(axis=0) + 3
    plan = np.full((high[1] - low[1], high[0] - low[0], 3), BACKGROUND, np.uint8)
    order = np.argsort(points[:, 2], kind="stable")  # the last write to a column is its highest voxel
    plan[columns_xy[order, 1] - low[1], columns_xy[order, 0] - low[0]] = paint[order]

    pixels_per_voxel = min(height / plan.shape[0], width / plan.shape[1])
    drawn = (round(plan.shape[1] * pixels_per_voxel), round(plan.shape[0] * pixels_per_voxel))
    scaled = cv2.resize(plan[::-1], drawn, interpolation=cv2.INTER_NEAREST)
    top, left = (height - drawn[1]) // 2, (width - drawn[0]) // 2
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    image[top : top + drawn[1], left : left + drawn[0]] = scaled

    scale = voxel_size / pixels_per_voxel
    bottom = height - top - drawn[1]
    origin = (float(low[0] * voxel_size - left * scale), float(low[1] * voxel_size - bottom * scale))
    return TopView(image, origin, scale)
