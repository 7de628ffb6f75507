"""Where frames come from offline: data set folders, bags, synthetic rooms.

The names below are loaded when they are first used, so that the words of the synthetic rooms and the command
line's arguments do not pay for image libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rgbd_perception.sources.base import FrameTruth, Source, indexed_frames
    from rgbd_perception.sources.opening import open_source
    from rgbd_perception.sources.options import SourceOptions, add_source_arguments, options_from_arguments

__all__ = [
    "FrameTruth",
    "Source",
    "SourceOptions",
    "add_source_arguments",
    "indexed_frames",
    "open_source",
    "options_from_arguments",
]

_MODULES = {
    "FrameTruth": "base",
    "Source": "base",
    "indexed_frames": "base",
    "open_source": "opening",
    "SourceOptions": "options",
    "add_source_arguments": "options",
    "options_from_arguments": "options",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
