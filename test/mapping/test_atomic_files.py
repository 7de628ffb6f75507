"""Files that are there whole or not at all: one, several at once, from several threads, after a crash."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.atomic_files import atomic_files


def _write(paths: list[Path], content: bytes) -> None:
    with atomic_files(paths) as files:
        for file in files:
            file.write(content)


def _names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_several_files_come_together_or_not_at_all(tmp_path, monkeypatch):
    """The disk is full when the second is synced: the first must not be in its place either."""
    paths = [tmp_path / "a.pgm", tmp_path / "a.yaml"]
    _write(paths, b"old")
    synced = []

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device; a file that was there is unchanged"):
        _write(paths, b"new")
    assert [path.read_bytes() for path in paths] == [b"old", b"old"]
    assert _names(tmp_path) == ["a.pgm", "a.yaml"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_ends_the_writing_leaves_nothing(tmp_path, error):
    path = tmp_path / "a"
    _write([path], b"old")
    with pytest.raises(error), atomic_files([path]) as (file,):
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["a"]


def test_two_threads_do_not_write_into_one_file(tmp_path):
    path = tmp_path / "a"
    meet = threading.Barrier(2)

    def write(letter: bytes) -> None:
        with atomic_files([path]) as (file,):
            meet.wait(20)
            for _ in range(1000):
                file.write(letter * 1000)
            meet.wait(20)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"x", b"y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = path.read_bytes()
    assert len(content) == 1_000_000
    assert len(set(content)) == 1
    assert _names(tmp_path) == ["a"]


def test_what_a_process_of_the_same_number_left_is_removed(tmp_path):
    """In a container every start has the same process number."""
    (tmp_path / f".a.{os.getpid()}-1.tmp").write_bytes(b"half")
    (tmp_path / ".a.notes.tmp").write_bytes(b"of somebody else")
    _write([tmp_path / "a"], b"new")
    assert _names(tmp_path) == [".a.notes.tmp", "a"]


@pytest.mark.parametrize("path", [".", "/", ""])
def test_a_path_without_a_name_is_refused(path):
    with pytest.raises(UserError, match="expected the name of a file"):
        _write([Path(path)], b"new")


@pytest.mark.parametrize("name", ["a**b", "a[1]"])
def test_a_name_may_look_like_a_pattern(tmp_path, name):
    (tmp_path / f".{name}.{os.getpid()}-1.tmp").write_bytes(b"left behind")
    _write([tmp_path / name], b"new")
    assert _names(tmp_path) == [name]
