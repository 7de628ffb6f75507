"""How far a recording is in a map: kept in the map file itself, so that both are of the same instant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.voxel_map import VoxelMap

_KEY = "progress"


def note_progress(voxel_map: VoxelMap, setup: dict[str, Any], next_index: int, drops: dict[str, int]) -> None:
    """Note in the map that all frames before ``next_index`` are done.

    setup  a JSON object of what must be the same to go on: source, network, options
    drops  reason to number of the frames that could not be used
    """
    voxel_map.notes[_KEY] = {"setup": setup, "next_index": next_index, "drops": dict(drops)}


def read_progress(voxel_map: VoxelMap, setup: dict[str, Any], path: Path) -> tuple[int, dict[str, int]]:
    """Index of the first frame that is not in the map, and the drops before it.

    Raises UserError where the map of file ``path`` was made otherwise than by ``setup``.
    """
    progress = voxel_map.notes.get(_KEY)
    if progress is None:
        raise UserError(f"{path} does not say how far its source was played: it cannot be resumed")
    different = [
        f"{name} {progress['setup'].get(name)!r} instead of {value!r}"
        for name, value in setup.items()
        if progress["setup"].get(name) != value
    ]
    if different:
        raise UserError(
            f"{path} was made with {', '.join(different)}: "
            "resume with the same options, or leave out --resume"
        )
    return int(progress["next_index"]), {str(k): int(v) for k, v in progress["drops"].items()}
