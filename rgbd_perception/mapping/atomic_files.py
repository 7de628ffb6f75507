"""Files that are there whole or not at all, whatever happens to the process, the disk or the power."""

from __future__ import annotations

import contextlib
import glob
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from rgbd_perception.errors import UserError

_being_written: set[Path] = set()
"""By this process: a file of the same process number that is not here was left by one before it (in a
container every start has the same numbers)."""


@contextlib.contextmanager
def atomic_files(paths: Sequence[Path]) -> Iterator[tuple[BinaryIO, ...]]:
    """Open a file for writing beside each of ``paths``; on leaving, put them in their places.

    All are synced before the first is renamed, and the folders after the last: after a crash or on a full
    disk an old file is whole. (Several renames are not one: a crash just between them leaves new beside old.)
    Raises UserError where a file cannot be written; nothing is left behind then.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"
    if unnamed := [str(path) for path in paths if not path.name]:
        raise UserError(f"expected the name of a file to write, got {unnamed[0]}")
    beside = [path.with_name(f".{path.name}.{writer}.tmp") for path in paths]
    try:
        with contextlib.ExitStack() as unfinished:
            files: list[BinaryIO] = []
            for path, temporary in zip(paths, beside, strict=True):
                _remove_stale(path)
                unfinished.callback(_forget, temporary)
                _being_written.add(temporary)
                files.append(unfinished.enter_context(temporary.open("wb")))
            yield tuple(files)
            for file in files:
                file.flush()
                os.fsync(file.fileno())
            for path, temporary in zip(paths, beside, strict=True):
                temporary.replace(path)
        for folder in {path.parent for path in paths}:
            _sync_folder(folder)
    except OSError as error:
        names = " and ".join(str(path) for path in paths)
        raise UserError(
            f"{names} could not be written: {error.strerror or error}; a file that was there is unchanged"
        ) from error


def _forget(temporary: Path) -> None:
    """Remove it, unless it was renamed."""
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
    _being_written.discard(temporary)


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_stale(path: Path) -> None:
    """Remove what a killed process left behind while it was writing ``path``."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = leftover.name.rsplit(".", 2)[1].partition("-")[0]
        if not process.isdigit() or leftover in _being_written:
            continue
        if int(process) == os.getpid() or not Path(f"/proc/{process}").exists():
            leftover.unlink(missing_ok=True)
