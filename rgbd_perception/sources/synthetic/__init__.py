"""Procedural furnished rooms: apartments from a seed, camera paths, RGB-D frames with exact ground truth.

Heavy parts (Open3D, numba) are imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rgbd_perception.sources.synthetic.apartment import (
        Apartment,
        Instance,
        RoomConfig,
        generate_apartment,
    )
    from rgbd_perception.sources.synthetic.path import random_views
    from rgbd_perception.sources.synthetic.render import Rendered, Renderer, View
    from rgbd_perception.sources.synthetic.source import SyntheticSource
    from rgbd_perception.sources.synthetic.walk import camera_path
    from rgbd_perception.sources.synthetic.writer import write_folder

_HOMES = {
    "Apartment": "apartment",
    "Instance": "apartment",
    "RoomConfig": "apartment",
    "generate_apartment": "apartment",
    "camera_path": "walk",
    "random_views": "path",
    "Rendered": "render",
    "Renderer": "render",
    "SyntheticSource": "source",
    "View": "render",
    "write_folder": "writer",
}

__all__ = [
    "Apartment",
    "Instance",
    "Rendered",
    "Renderer",
    "RoomConfig",
    "SyntheticSource",
    "View",
    "camera_path",
    "generate_apartment",
    "random_views",
    "write_folder",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
