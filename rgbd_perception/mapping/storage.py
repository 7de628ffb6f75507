"""Map files (``.rgbdmap``): one safetensors container, written in one step, checked on reading.

Layout: the safetensors format (8 bytes little endian header length, JSON header, tensors one after the
other). One tensor per column of the map, voxels in order of their rows, and the class embeddings.
``__metadata__`` has one entry ``rgbd_map``, a JSON object with format version, voxel size, frame, model,
text space, vocabulary, counts and the CRC-32 of the bytes of every tensor.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.snapshot import Columns, Snapshot
from rgbd_perception.vocabulary import Vocabulary

FORMAT_VERSION = 1
_METADATA_KEY = "rgbd_map"
_CLASS_EMBEDDINGS = "class_embeddings"
_DTYPE_NAMES = {"float16": "F16", "float32": "F32", "int64": "I64", "uint16": "U16", "uint8": "U8"}
_COLUMNS: dict[str, tuple[str, int]] = {
    "key": ("int64", 1),
    "weight": ("float32", 1),
    "color": ("float32", 2),
    "last_seen": ("int64", 1),
    "occupancy": ("uint8", 1),
    "class_slot": ("uint16", 2),
    "evidence": ("float32", 2),
    "feature": ("float16", 2),
    "feature_weight": ("float32", 1),
}
"""dtype and number of axes of every column that a file may have."""
_PAIRS = (("class_slot", "evidence"), ("feature", "feature_weight"))


@dataclass(frozen=True)
class _Tensor:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def write_map(path: Path, snapshot: Snapshot, header: MapHeader) -> int:
    """Write a snapshot to ``path``; return the bytes written.

    The file is written beside ``path``, synced, renamed over it and the folder synced: after a crash or a
    full disk the old file is whole. Raises UserError where it cannot be written; nothing is left behind then.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove_stale(path)
    try:
        try:
            with beside.open("wb") as file:
                size = _write(file, snapshot, header)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"the map could not be written to {path}: {error.strerror or error}; "
            "a file that was there is unchanged"
        ) from error
    return size


def read_map(path: Path) -> tuple[MapHeader, Columns]:
    """Read and check a map file: its header and the columns of its voxels.

    Raises UserError with one line where it is missing, no map, cut, damaged or of another version.
    """
    metadata, tensors = _read_container(path)
    try:
        version = metadata["format_version"]
        if version != FORMAT_VERSION:
            raise UserError(
                f"{path} has map format version {version}, this program reads {FORMAT_VERSION}: "
                "make the map again"
            )
        for name, checksum in metadata["crc32"].items():
            if _crc32(tensors[name]) != checksum:
                raise UserError(
                    f"{path} is damaged: the checksum of '{name}' does not match; use another copy"
                )
        embeddings = tensors.pop(_CLASS_EMBEDDINGS, None)
        _check_columns(tensors, metadata, path)
        return _header_from(metadata, embeddings), tensors
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is no valid map file ({type(error).__name__}: {error}); use another copy"
        ) from error


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON metadata of a map file, without reading its voxels; UserError where it is not one."""
    return _read_container(path, with_tensors=False)[0]


def _write(file: BinaryIO, snapshot: Snapshot, header: MapHeader) -> int:
    extra = {} if header.class_embeddings is None else {_CLASS_EMBEDDINGS: header.class_embeddings}
    layout = _layout(snapshot, extra)
    checksums = dict.fromkeys(layout, 0)
    preamble = _preamble(layout, _metadata(header, snapshot.voxels, checksums))
    file.write(preamble)
    data_start = len(preamble)
    written = dict.fromkeys(layout, 0)
    for name, array in _pieces(snapshot, extra):
        data = _bytes(array)
        file.seek(data_start + layout[name].start + written[name])
        file.write(data)
        checksums[name] = zlib.crc32(data, checksums[name])
        written[name] += len(data)
    size = data_start + sum(tensor.nbytes for tensor in layout.values())
    # The checksums are known only now; they have eight digits always, so the header keeps its length.
    final = _preamble(layout, _metadata(header, snapshot.voxels, checksums))
    file.seek(0)
    file.write(final)
    return size


def _pieces(snapshot: Snapshot, extra: Columns) -> Iterator[tuple[str, NDArray[Any]]]:
    """The contents of every tensor in pieces, in order within a tensor; free rows left out."""
    names = [name for name in _COLUMNS if snapshot.column(name) is not None]
    for _, columns in snapshot.blocks(lambda block: tuple(block[name].copy() for name in names)):
        live = columns[names.index("key")] != NO_KEY
        for name, column in zip(names, columns, strict=True):
            yield name, column[live]
    yield from extra.items()


def _layout(snapshot: Snapshot, extra: Columns) -> dict[str, _Tensor]:
    layout: dict[str, _Tensor] = {}
    start = 0
    for name in _COLUMNS:
        description = snapshot.column(name)
        if description is not None:
            layout[name] = _Tensor(np.dtype(description[1]), (snapshot.voxels, *description[0]), start)
            start += layout[name].nbytes
    for name, array in extra.items():
        layout[name] = _Tensor(array.dtype, array.shape, start)
        start += layout[name].nbytes
    return layout


def _preamble(layout: dict[str, _Tensor], metadata: dict[str, Any]) -> bytes:
    """Length and JSON header of the safetensors format, padded with spaces to a multiple of 8 bytes."""
    header: dict[str, Any] = {"__metadata__": {_METADATA_KEY: json.dumps(metadata, ensure_ascii=False)}}
    for name, tensor in layout.items():
        header[name] = {
            "dtype": _DTYPE_NAMES[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [tensor.start, tensor.start + tensor.nbytes],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _metadata(header: MapHeader, voxels: int, checksums: dict[str, int]) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "voxels": voxels,
        "voxel_size": header.voxel_size,
        "frame_id": header.frame_id,
        "map_from_source": header.map_from_source.tolist(),
        "model_id": header.model_id,
        "text_space": header.text_space,
        "feature_dim": header.feature_dim,
        "evidence_slots": header.evidence_slots,
        "label_names": list(header.vocabulary.names) if header.vocabulary else None,
        "vocabulary_text_space": header.vocabulary.text_space if header.vocabulary else "",
        "vocabulary_id": header.vocabulary.id if header.vocabulary else "",
        "crc32": {name: f"{checksum:08x}" for name, checksum in checksums.items()},
    }


def _header_from(metadata: dict[str, Any], embeddings: NDArray[np.float32] | None) -> MapHeader:
    names = metadata["label_names"]
    return MapHeader(
        voxel_size=float(metadata["voxel_size"]),
        frame_id=str(metadata["frame_id"]),
        map_from_source=np.array(metadata["map_from_source"], np.float64).reshape(4, 4),
        model_id=str(metadata["model_id"]),
        text_space=str(metadata["text_space"]),
        feature_dim=int(metadata["feature_dim"]),
        evidence_slots=int(metadata["evidence_slots"]),
        vocabulary=Vocabulary(names, metadata["vocabulary_text_space"]) if names else None,
        class_embeddings=embeddings,
    )


def _read_container(path: Path, with_tensors: bool = True) -> tuple[dict[str, Any], Columns]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(
            f"there is no map file {path}: make one with `rgbd-perception map SOURCE --out {path.name}`"
        )
    try:
        with safe_open(path, framework="numpy") as container:
            text = (container.metadata() or {}).get(_METADATA_KEY)
            if text is None:
                raise UserError(f"{path} is a safetensors file, but not a map: expected one written by `map`")
            metadata = json.loads(text)
            tensors = {name: container.get_tensor(name) for name in container.keys()} if with_tensors else {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        detail = str(error).splitlines()[0]
        raise UserError(f"{path} is no whole map file ({detail}): it may be cut; use another copy") from error
    if not isinstance(metadata, dict):
        raise UserError(f"{path} is no valid map file: its metadata is not an object; use another copy")
    return metadata, tensors


def _check_columns(columns: Columns, metadata: dict[str, Any], path: Path) -> None:
    voxels = metadata["voxels"]
    sizes = {"class_slot": metadata["evidence_slots"], "evidence": metadata["evidence_slots"], "color": 3}
    sizes["feature"] = metadata["feature_dim"]
    for name, column in columns.items():
        dtype, axes = _COLUMNS[name]
        expected = (voxels,) if axes == 1 else (voxels, sizes[name])
        if column.dtype != dtype or column.shape != expected:
            raise UserError(
                f"{path} is no valid map file: '{name}' is {column.dtype}{list(column.shape)}, "
                f"expected {dtype}{list(expected)}; use another copy"
            )
    for first, second in _PAIRS:
        if (first in columns) != (second in columns):
            raise UserError(f"{path} is no valid map file: '{first}' and '{second}' belong together")
    if set(metadata["crc32"]) - {_CLASS_EMBEDDINGS} != set(columns):
        raise UserError(f"{path} is no valid map file: its list of checksums does not fit its contents")


def _crc32(array: NDArray[Any]) -> str:
    return f"{zlib.crc32(_bytes(array)):08x}"


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_stale(path: Path) -> None:
    """Remove what a killed process left behind while it was writing ``path``."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        pid = leftover.name.rsplit(".", 2)[1]
        if pid.isdigit() and int(pid) != os.getpid() and not Path(f"/proc/{pid}").exists():
            leftover.unlink(missing_ok=True)
