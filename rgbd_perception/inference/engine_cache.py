"""Engines on disk: for each key one file as TensorRT takes it, and beside it a JSON header with its checksum.

A key names everything that an engine depends on. An engine of another key is never used: it is built anew and
the reason is said. Only one of several processes builds, the others wait for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rgbd_perception.errors import UserError
from rgbd_perception.inference.engine_build import BuildCancelled, BuiltEngine
from rgbd_perception.inference.weights import write_whole
from rgbd_perception.resources import PACKAGE

FORMAT = 1
SUFFIX = ".engine"
HEADER_SUFFIX = ".json"
_LOOK_S = 0.5
"""How often who waits for another process looks whether it still should."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineKey:
    """What an engine was built from and for.

    model               name, for people and for the file
    model_hash          of the ONNX file: graph and weights
    precision           "fp32" or "fp16"
    size                of the images, "HxW"
    gpu                 name of the device, or the targets of an engine built ahead of time
    compute_capability  such as "8.7"; empty for an engine built ahead of time
    tensorrt            "tensorrt" or "tensorrt_rtx"
    version             of TensorRT
    """

    model: str
    model_hash: str
    precision: str
    size: str
    gpu: str
    compute_capability: str
    tensorrt: str
    version: str

    def differences(self, other: EngineKey) -> list[str]:
        """In words, what this key wants and ``other`` was."""
        return [
            f"{_WORDS[name]} {theirs or 'none'}, this is {ours or 'none'}"
            for name, ours in dataclasses.asdict(self).items()
            if (theirs := getattr(other, name)) != ours
        ]

    @property
    def digest(self) -> str:
        """Short hash of the whole key."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def stem(self) -> str:
        """The beginning of the file's name, the same for all devices and versions."""
        return re.sub(r"[^\w.-]+", "_", f"{self.model}-{self.precision}-{self.size}")


_WORDS = {
    "model": "model",
    "model_hash": "model hash",
    "precision": "precision",
    "size": "size",
    "gpu": "GPU",
    "compute_capability": "compute capability",
    "tensorrt": "library",
    "version": "TensorRT",
}


@dataclass(frozen=True)
class EngineHeader:
    """What lies beside an engine.

    sha256, size_bytes  of the engine file
    build_seconds       what TensorRT took: the expectation for the next time
    built               date and time (ISO 8601, UTC)
    metadata            of the ONNX file: what the outputs mean
    """

    key: EngineKey
    sha256: str
    size_bytes: int
    build_seconds: float
    built: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CachedEngine:
    """An engine ready to be loaded. ``reason``: why it was built just now, empty where it lay there."""

    data: bytes
    header: EngineHeader
    reason: str = ""


class EngineDamaged(Exception):
    """An engine file that does not fit its header, or a header that cannot be read."""


def default_folder() -> Path:
    """Where engines are kept: the user's folder for caches (XDG)."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    return cache / PACKAGE / "engines"


def file_hash(path: Path) -> str:
    """Hash of a file's bytes. Raises UserError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    return digest.hexdigest()[:16]


class EngineCache:
    """A folder of engines. Processes may share it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def get(
        self,
        key: EngineKey,
        build: Callable[[], BuiltEngine],
        metadata: Mapping[str, str] | None = None,
        cancel: threading.Event | None = None,
    ) -> CachedEngine:
        """The engine of ``key``: from the disk, or by ``build``, which one process at a time does.

        ``cancel``, set by another thread, ends the waiting for another process. Where the disk refuses, the
        engine is used all the same and a warning says so. Raises what ``build`` raises, and BuildCancelled.
        """
        path = self.path(key)
        with self._lock(key, cancel):
            try:
                return read_engine(path, key)
            except FileNotFoundError:
                reason = self._why_missing(key)
            except EngineDamaged as damage:
                reason = f"{path} is damaged: {damage}"
            log.info("building the engine of %s: %s", key.model, reason)
            built = build()
            header = make_header(key, built, metadata)
            self._keep(path, built.data, header)
        return CachedEngine(built.data, header, reason)

    def path(self, key: EngineKey) -> Path:
        """Where the engine of ``key`` lies or belongs."""
        return self.folder / f"{key.stem}-{key.digest}{SUFFIX}"

    def forget(self, key: EngineKey) -> None:
        """Remove the engine of ``key``, which TensorRT did not take."""
        with contextlib.suppress(OSError):
            self.path(key).unlink(missing_ok=True)

    def expected_seconds(self, key: EngineKey) -> float | None:
        """What the last build of a like engine took with the same library; None: there was none."""
        alike = [
            header
            for header in self._headers(key)
            if (header.key.tensorrt, header.key.gpu) == (key.tensorrt, key.gpu)
        ]
        return max(alike, key=lambda header: header.built).build_seconds if alike else None

    def engines(self, model: str) -> Iterator[tuple[Path, EngineHeader]]:
        """Files and headers of the engines of ``model`` that are kept here."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}{HEADER_SUFFIX}")):
            with contextlib.suppress(EngineDamaged, OSError):
                header = _read_header(path)
                if header.key.model == model and self.path(header.key).is_file():
                    yield self.path(header.key), header

    def _why_missing(self, key: EngineKey) -> str:
        """What distinguishes ``key`` from the engine that is most like it."""
        others = [key.differences(header.key) for header in self._headers(key)]
        if not others:
            return f"there was none for {key.model}, {key.precision}, {key.size}"
        closest = min(others, key=len)
        return f"the one there was built for {'; '.join(closest)}" if closest else "its file is gone"

    def _headers(self, key: EngineKey) -> Iterator[EngineHeader]:
        for path in sorted(self.folder.glob(f"{key.stem}-*{SUFFIX}{HEADER_SUFFIX}")):
            with contextlib.suppress(EngineDamaged, OSError):
                yield _read_header(path)

    def _keep(self, path: Path, data: bytes, header: EngineHeader) -> None:
        try:
            write_engine(path, data, header)
        except UserError as error:
            log.warning("%s; the engine is used without being kept", error)
            return
        for other in self._headers(header.key):
            if _replaces(header.key, other.key):
                for file in (self.path(other.key), _header_path(self.path(other.key))):
                    with contextlib.suppress(OSError):
                        file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lock(self, key: EngineKey, cancel: threading.Event | None) -> Iterator[None]:
        """Keep other processes from building the same; without a lock where the folder cannot be written."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"{key.stem}.lock")
        with contextlib.ExitStack() as held:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                try:
                    held.enter_context(lock.acquire(timeout=0))
                except Timeout:
                    log.info("another process builds an engine of %s: waiting for it", key.model)
                    while not lock.is_locked:
                        if cancel is not None and cancel.is_set():
                            raise BuildCancelled("nobody waits for the engine any more") from None
                        with contextlib.suppress(Timeout):
                            held.enter_context(lock.acquire(timeout=_LOOK_S))
            except OSError as error:
                log.warning("no cache of engines in %s: %s", self.folder, error.strerror or error)
            yield


def make_header(
    key: EngineKey, built: BuiltEngine, metadata: Mapping[str, str] | None = None
) -> EngineHeader:
    """The header of an engine that was built just now."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    checksum = hashlib.sha256(built.data).hexdigest()
    return EngineHeader(key, checksum, len(built.data), round(built.seconds, 2), now, dict(metadata or {}))


def write_engine(path: Path, data: bytes, header: EngineHeader) -> None:
    """Write engine and header. Raises UserError where the disk refuses.

    Each is whole or not there; a crash between them leaves a checksum that does not fit, which is noticed.
    """
    write_whole(path, data, "engine")
    text = json.dumps({"format": FORMAT, **dataclasses.asdict(header)}, indent=2, ensure_ascii=False)
    write_whole(_header_path(path), f"{text}\n".encode(), "header of the engine")


def read_engine(path: Path, key: EngineKey | None = None) -> CachedEngine:
    """Read an engine with its header. ``key``: what it must be.

    Raises FileNotFoundError where either is missing, EngineDamaged where they do not fit.
    """
    try:
        data = path.read_bytes()
        header = _read_header(_header_path(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EngineDamaged(f"it cannot be read: {error.strerror or error}") from error
    if key is not None and header.key != key:
        raise EngineDamaged(f"its header is of another engine: {', '.join(key.differences(header.key))}")
    if len(data) != header.size_bytes:
        raise EngineDamaged(f"expected {header.size_bytes} bytes, got {len(data)}")
    if hashlib.sha256(data).hexdigest() != header.sha256:
        raise EngineDamaged("its checksum is wrong")
    return CachedEngine(data, header)


def read_file(path: Path) -> CachedEngine:
    """Read an engine that a user names. Raises UserError where it is missing or damaged."""
    try:
        return read_engine(path)
    except FileNotFoundError as error:
        raise UserError(
            f"expected an engine and its header beside it, {error.filename} does not exist"
        ) from error
    except EngineDamaged as damage:
        raise UserError(f"{path} is damaged: {damage}; build it again") from damage


def _read_header(path: Path) -> EngineHeader:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (found := values.pop("format")) != FORMAT:
            raise EngineDamaged(f"its header has the format {found}, expected {FORMAT}")
        return EngineHeader(**{**values, "key": EngineKey(**values["key"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineDamaged(f"its header cannot be read: {error}") from error


def _header_path(path: Path) -> Path:
    return path.with_name(path.name + HEADER_SUFFIX)


def _replaces(new: EngineKey, old: EngineKey) -> bool:
    """Whether nobody needs ``old`` any more: the same device with other weights or another version."""
    return old != new and (old.gpu, old.tensorrt) == (new.gpu, new.tensorrt)
