"""Rendered training views on disk: memory-mapped arrays; training needs no renderer and no text encoder.

A folder of shards holds ``shard_NNNNN/`` with

    color.npy       (N, H, W, 3) uint8 rgb
    depth.npy       (N, H, W) uint16 millimetres, 0 = none
    rows.npy        (N, H, W) uint16: 0 = unlabelled, otherwise 1 + row of the object tables below
    embeddings.npy  (R, K, D) float16: K descriptions of each object as unit vectors in the text space
    classes.npy     (R,) uint8 class ids
    shard.json      format version, seeds, text space, class names; written last

A shard is written under another name and renamed when it is whole: a killed run leaves no broken shard.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError

FORMAT_VERSION = 1
MAX_ROWS = 65535


@dataclass(frozen=True)
class ShardInfo:
    """What a shard says about itself."""

    seeds: tuple[int, ...]
    text_space: str
    class_names: tuple[str, ...]
    version: int = FORMAT_VERSION


class View(NamedTuple):
    """One view: color (H, W, 3) uint8, depth (H, W) uint16 mm, rows (H, W) uint16 into its shard's tables."""

    color: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    rows: NDArray[np.uint16]


@dataclass(frozen=True)
class ShardArrays:
    """The arrays of one shard, as in the module's table."""

    color: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    rows: NDArray[np.uint16]
    embeddings: NDArray[np.float16]
    classes: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if len(self.classes) > MAX_ROWS:
            raise ValueError(f"a shard holds at most {MAX_ROWS} objects, got {len(self.classes)}")


class Shard:
    """One shard, opened for reading; the images stay on disk until they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.info = _read_info(folder)
        arrays = {name: _open_array(folder / f"{name}.npy") for name in ShardArrays.__dataclass_fields__}
        self._arrays = ShardArrays(**arrays)
        self.embeddings = np.array(self._arrays.embeddings)
        self.classes = np.array(self._arrays.classes)

    def __len__(self) -> int:
        return len(self._arrays.color)

    def view(self, index: int) -> View:
        """View ``index`` (memory-mapped)."""
        return View(self._arrays.color[index], self._arrays.depth[index], self._arrays.rows[index])


def write_shard(folder: Path, arrays: ShardArrays, info: ShardInfo) -> None:
    """Write one shard; it appears under its name only when it is whole."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in ShardArrays.__dataclass_fields__:
        np.save(part / f"{name}.npy", getattr(arrays, name))
    (part / "shard.json").write_text(json.dumps(asdict(info)), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def list_shards(root: Path) -> list[Path]:
    """Folders of the whole shards below ``root``, by name."""
    return sorted(path.parent for path in root.glob("shard_*/shard.json") if path.parent.suffix != ".part")


def open_shards(root: Path) -> list[Shard]:
    """Open every shard of a folder; UserError where there is none or they do not fit together."""
    shards = [Shard(folder) for folder in list_shards(root)]
    if not shards:
        raise UserError(
            f"expected rendered views (shard_*/shard.json) in {root}, found none: render them first"
        )
    first = shards[0].info
    for shard in shards:
        if (shard.info.text_space, shard.info.class_names) != (first.text_space, first.class_names):
            raise UserError(f"the shards in {root} differ in text space or class names: render them anew")
    return shards


def _read_info(folder: Path) -> ShardInfo:
    try:
        fields = json.loads((folder / "shard.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {folder / 'shard.json'}: {error}") from error
    if fields.get("version") != FORMAT_VERSION:
        raise UserError(f"{folder} has shard format {fields.get('version')}, expected {FORMAT_VERSION}")
    return ShardInfo(tuple(fields["seeds"]), fields["text_space"], tuple(fields["class_names"]))


def _open_array(path: Path) -> NDArray:
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}: delete its folder and render again") from error
