"""Map files (``.rgbdmap``): one safetensors container, written in one step, checked on reading.

Layout: the safetensors format (8 bytes little endian header length, JSON header, tensors one after the
other). One tensor per column of the map, voxels in order of their rows, the embeddings that voxels share, and
the class embeddings.
``__metadata__`` has one entry ``rgbd_map``, a JSON object with format version, voxel size, frame, model,
text space, vocabulary, counts, the ids of the objects (``ObjectTracker.state``), the CRC-32 of the bytes of
every tensor and that of the object itself. docs/map_format.md describes it for readers in other languages.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.atomic_files import atomic_files
from rgbd_perception.mapping.feature_readers import SharedReader
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.snapshot import Columns, Snapshot
from rgbd_perception.mapping.storage_version_1 import from_version_1
from rgbd_perception.vocabulary import Vocabulary

FORMAT_VERSION = 2
_METADATA_KEY = "rgbd_map"
_OWN_CHECKSUM = "metadata_crc32"
_CLASS_EMBEDDINGS = "class_embeddings"
FEATURE_VECTORS = "feature_vectors"
FEATURE_BASIS = "feature_basis"
_ROWS = 1 << 16
"""Rows that are read at a time: about a millisecond."""
_DTYPE_NAMES = {
    "float32": "F32", "int64": "I64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "int8": "I8",
}  # fmt: skip
COLUMNS: dict[str, tuple[tuple[str, ...], str]] = {
    "key": (("int64",), ""),
    "weight": (("uint16", "float32"), ""),
    "color": (("uint8", "float32"), "3"),
    "last_seen": (("uint32",), ""),
    "occupancy": (("uint8",), ""),
    "class_slot": (("uint8", "uint16"), "evidence_slots"),
    "evidence": (("uint8", "float32"), "evidence_slots"),
    "feature_at": (("uint32",), ""),
    "feature": (("float32",), "feature_dim"),
    "feature_weight": (("float32",), ""),
}
"""Types of every column that a file may have (compact first), and what says how long its second axis is."""
_TOGETHER = (
    ("class_slot", "evidence"),
    ("feature", "feature_weight"),
    ("feature_at", FEATURE_VECTORS),
    ("feature_at", FEATURE_BASIS),
)


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

    In one step (atomic_files). Raises UserError where it cannot be written; an old file is unchanged then.
    """
    with atomic_files([path]) as (file,):
        return _write(file, snapshot, header)


def read_map(path: Path) -> tuple[MapHeader, Columns]:
    """Read and check a map file: its header and the columns of its voxels.

    Raises UserError with one line where it is missing, no map, cut, damaged or of another version.
    """
    metadata, tensors = _read_container(path)
    try:
        version = metadata["format_version"]
        if version not in (1, FORMAT_VERSION):
            raise UserError(
                f"{path} has map format version {version}, this program reads 1 and {FORMAT_VERSION}: "
                "update it, or make the map again"
            )
        if version > 1 and metadata[_OWN_CHECKSUM] != _metadata_checksum(metadata):
            raise UserError(f"{path} is damaged: the checksum of its header does not match; use another copy")
        for name, checksum in metadata["crc32"].items():
            if _crc32(tensors[name]) != checksum:
                raise UserError(
                    f"{path} is damaged: the checksum of '{name}' does not match; use another copy"
                )
        if version == 1:
            metadata, tensors = from_version_1(metadata, tensors)
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
    extra, feature_at = _extra_tensors(snapshot, header)
    layout = _layout(snapshot, extra)
    checksums = dict.fromkeys(layout, 0)
    preamble = _preamble(layout, _metadata(header, snapshot.voxels, layout, checksums))
    file.write(preamble)
    data_start = len(preamble)
    written = dict.fromkeys(layout, 0)
    for name, array in _pieces(snapshot, extra, feature_at):
        data = _bytes(array)
        file.seek(data_start + layout[name].start + written[name])
        file.write(data)
        checksums[name] = zlib.crc32(data, checksums[name])
        written[name] += len(data)
    size = data_start + sum(tensor.nbytes for tensor in layout.values())
    # The checksums are known only now; they have eight digits always, so the header keeps its length.
    final = _preamble(layout, _metadata(header, snapshot.voxels, layout, checksums))
    file.seek(0)
    file.write(final)
    return size


def _extra_tensors(snapshot: Snapshot, header: MapHeader) -> tuple[Columns, NDArray[np.uint32]]:
    """Tensors that are no columns, and the column ``feature_at`` that goes with them."""
    extra: Columns = {}
    feature_at = np.empty(0, np.uint32)
    if header.class_embeddings is not None:
        extra[_CLASS_EMBEDDINGS] = header.class_embeddings
    if isinstance(snapshot.features, SharedReader):
        at = snapshot.read_all(("feature_at",))["feature_at"]
        extra[FEATURE_VECTORS], feature_at, extra[FEATURE_BASIS] = snapshot.features.packed(at)
    return extra, feature_at


def _pieces(
    snapshot: Snapshot, extra: Columns, feature_at: NDArray[np.uint32]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """The contents of every tensor in pieces, in order within a tensor; free rows left out."""
    names = [name for name in COLUMNS if snapshot.column(name) is not None]
    read = [name for name in names if name != "feature_at"]
    for _, columns in snapshot.blocks(lambda block: tuple(block[name].copy() for name in read), _ROWS):
        live = columns[read.index("key")] != NO_KEY
        for name, column in zip(read, columns, strict=True):
            yield name, column[live]
    if "feature_at" in names:
        yield "feature_at", feature_at
    yield from extra.items()


def _layout(snapshot: Snapshot, extra: Columns) -> dict[str, _Tensor]:
    layout: dict[str, _Tensor] = {}
    start = 0
    for name in COLUMNS:
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


def _metadata(
    header: MapHeader, voxels: int, layout: dict[str, _Tensor], checksums: dict[str, int]
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "voxels": voxels,
        "voxel_size": header.voxel_size,
        "frame_id": header.frame_id,
        "map_from_source": header.map_from_source.tolist(),
        "model_id": header.model_id,
        "text_space": header.text_space,
        "feature_dim": header.feature_dim,
        "feature_vectors": layout[FEATURE_VECTORS].shape[0] if FEATURE_VECTORS in layout else 0,
        "feature_dims": layout[FEATURE_VECTORS].shape[1] if FEATURE_VECTORS in layout else 0,
        "storage": header.storage,
        "epoch_ns": header.epoch_ns,
        "evidence_slots": header.evidence_slots,
        "label_names": list(header.vocabulary.names) if header.vocabulary else None,
        "vocabulary_text_space": header.vocabulary.text_space if header.vocabulary else "",
        "vocabulary_id": header.vocabulary.id if header.vocabulary else "",
        "objects": header.tracked,
        "frames": header.frames,
        "notes": dict(header.notes),
        "crc32": {name: f"{checksum:08x}" for name, checksum in checksums.items()},
    }
    return metadata | {_OWN_CHECKSUM: _metadata_checksum(metadata)}


def _metadata_checksum(metadata: dict[str, Any]) -> str:
    """Of all entries but itself."""
    others = {name: value for name, value in metadata.items() if name != _OWN_CHECKSUM}
    return f"{zlib.crc32(json.dumps(others, sort_keys=True).encode()):08x}"


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
        storage=str(metadata["storage"]),
        epoch_ns=int(metadata["epoch_ns"]),
        tracked=metadata.get("objects"),
        frames=int(metadata.get("frames", 0)),
        notes=dict(metadata.get("notes", {})),
    )


def _read_container(path: Path, with_tensors: bool = True) -> tuple[dict[str, Any], Columns]:
    from safetensors import SafetensorError, safe_open

    try:
        if not path.is_file():
            raise UserError(
                f"there is no map file {path}: make one with `rgbd-perception map SOURCE --out {path.name}`"
            )
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
    for name, column in columns.items():
        dtypes, expected = _expected(name, metadata)
        if column.dtype.name not in dtypes or column.shape != expected:
            raise UserError(
                f"{path} is no valid map file: '{name}' is {column.dtype}{list(column.shape)}, "
                f"expected {' or '.join(dtypes)}{list(expected)}; use another copy"
            )
    for first, second in _TOGETHER:
        if (first in columns) != (second in columns):
            raise UserError(f"{path} is no valid map file: '{first}' and '{second}' belong together")
    if set(metadata["crc32"]) - {_CLASS_EMBEDDINGS} != set(columns):
        raise UserError(f"{path} is no valid map file: its list of checksums does not fit its contents")


def _expected(name: str, metadata: dict[str, Any]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Types and shape of a tensor."""
    if name == FEATURE_VECTORS:
        return ("int8",), (metadata["feature_vectors"], metadata["feature_dims"])
    if name == FEATURE_BASIS:
        return ("float32",), (metadata["feature_dims"], metadata["feature_dim"])
    dtypes, second = COLUMNS[name]
    sizes = {"3": 3, **metadata}
    return dtypes, (metadata["voxels"], sizes[second]) if second else (metadata["voxels"],)


def _crc32(array: NDArray[Any]) -> str:
    return f"{zlib.crc32(_bytes(array)):08x}"


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
