"""Time to save a map, fsync included, and to load it again."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from rgbd_perception.bench.machine import file_write_s
from rgbd_perception.bench.timings import milliseconds_of
from rgbd_perception.mapping import VoxelMap


@dataclass(frozen=True)
class FileTimes:
    """Seconds (the best of some) and bytes; write_s: as many plain bytes written and synced in the same
    folder."""

    save_s: float
    load_s: float
    write_s: float
    nbytes: int


def time_files(voxel_map: VoxelMap, repeats: int = 2, folder: Path | None = None) -> FileTimes:
    """Save and load ``voxel_map`` in ``folder`` (None: the temporary folder of the system)."""
    with tempfile.TemporaryDirectory(prefix="rgbd_perception_bench_", dir=folder) as name:
        path = Path(name) / "map.rgbdmap"
        saved = [milliseconds_of(lambda: voxel_map.save(path)) / 1e3 for _ in range(repeats)]
        loaded = [milliseconds_of(lambda: VoxelMap.load(path).close()) / 1e3 for _ in range(repeats)]
        nbytes = path.stat().st_size
        plain = file_write_s(Path(name) / "plain", nbytes)
    return FileTimes(round(min(saved), 3), round(min(loaded), 3), round(plain, 3), nbytes)
