"""An occupancy grid as the pair of files that map_server (ROS 1) and nav2_map_server read: yaml and pgm."""

from __future__ import annotations

import numpy as np
import yaml

from rgbd_perception.mapping.export.occupancy import FREE, OCCUPIED, OccupancyGrid

_BLACK, _GREY, _WHITE = 0, 205, 254
"""Pixels for occupied, unknown and free, as map_saver writes them."""
_OCCUPIED_ABOVE = 0.65
_FREE_BELOW = 0.196
"""Of (255 - pixel) / 255. Grey is 0.19608: with the 0.25 that some examples have, unknown would be free."""


def pgm_bytes(grid: OccupancyGrid) -> bytes:
    """The picture, binary PGM, 8 bits: the top row has the largest y."""
    pixels = np.full(grid.cells.shape, _GREY, np.uint8)
    pixels[grid.cells == FREE] = _WHITE
    pixels[grid.cells == OCCUPIED] = _BLACK
    rows, columns = grid.cells.shape
    return f"P5\n{columns} {rows}\n255\n".encode("ascii") + pixels[::-1].tobytes()


def yaml_bytes(grid: OccupancyGrid, image: str) -> bytes:
    """The description; ``image`` is the name of the picture beside it. origin: x, y, yaw of its lower left
    corner in the map frame (REP 105), in metres."""
    content = {
        "image": image,
        "mode": "trinary",
        "resolution": grid.resolution,
        "origin": [*grid.origin, 0.0],
        "negate": 0,
        "occupied_thresh": _OCCUPIED_ABOVE,
        "free_thresh": _FREE_BELOW,
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None).encode()
