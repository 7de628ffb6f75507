"""Engines on disk: used when they fit, built anew with the reason when not, built once by two processes."""

from __future__ import annotations

import dataclasses
import json
import logging
import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.inference import engine_cache
from rgbd_perception.inference.engine_build import BuildCancelled, BuiltEngine
from rgbd_perception.inference.engine_cache import EngineCache, EngineKey, file_hash, read_engine

KEY = EngineKey("rgbd_mini", "a1b2", "fp16", "240x320", "Orin", "8.7", "tensorrt", "10.3.0")
ENGINE = b"engine " * 1000


class Builder:
    """Counts how often it is asked."""

    def __init__(self, data: bytes = ENGINE) -> None:
        self.data, self.calls = data, 0

    def __call__(self) -> BuiltEngine:
        self.calls += 1
        return BuiltEngine(self.data, 12.5)


def test_an_engine_is_built_once(tmp_path: Path) -> None:
    cache, build = EngineCache(tmp_path / "engines"), Builder()
    first = cache.get(KEY, build, {"note": "of the file"})
    again = cache.get(KEY, build)
    assert build.calls == 1
    assert first.data == again.data == ENGINE
    assert "there was none" in first.reason and again.reason == ""
    assert again.header == first.header
    assert again.header.metadata == {"note": "of the file"}
    assert cache.path(KEY).read_bytes() == ENGINE, "as TensorRT and its tools take it"
    assert cache.expected_seconds(KEY) == 12.5


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("model_hash", "ffff", "model hash a1b2, this is ffff"),
        ("version", "10.7.0", "TensorRT 10.3.0, this is 10.7.0"),
        ("gpu", "NVIDIA A2", "GPU Orin, this is NVIDIA A2"),
        ("compute_capability", "8.6", "compute capability 8.7, this is 8.6"),
        ("tensorrt", "tensorrt_rtx", "library tensorrt, this is tensorrt_rtx"),
    ],
)
def test_a_rebuild_says_which_part_differs(tmp_path: Path, part: str, value: str, words: str) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    cache.get(KEY, build)
    other = cache.get(dataclasses.replace(KEY, **{part: value}), build)
    assert other.reason == f"the one there was built for {words}"
    assert build.calls == 2


def test_what_nobody_needs_any_more_is_removed(tmp_path: Path) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    newer, elsewhere = dataclasses.replace(KEY, version="10.7.0"), dataclasses.replace(KEY, gpu="A2")
    for key in (KEY, elsewhere, newer):
        cache.get(key, build)
    left = {path.name for path in tmp_path.glob("*.engine")}
    assert left == {cache.path(elsewhere).name, cache.path(newer).name}


@pytest.mark.parametrize("fault", ["cut", "bit", "header", "header format", "foreign header", "folder"])
def test_a_damaged_engine_is_built_again(tmp_path: Path, fault: str) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    cache.get(KEY, build)
    path = cache.path(KEY)
    header = path.with_name(f"{path.name}.json")
    values: dict[str, Any] = json.loads(header.read_text())
    if fault == "cut":
        path.write_bytes(ENGINE[:-1])
    elif fault == "bit":
        path.write_bytes(b"x" + ENGINE[1:])
    elif fault == "header":
        header.write_text("{")
    elif fault == "header format":
        header.write_text(json.dumps({**values, "format": 99}))
    elif fault == "foreign header":
        header.write_text(json.dumps({**values, "key": {**values["key"], "gpu": "A2"}}))
    else:
        path.unlink()
        path.mkdir()
    result = cache.get(KEY, build)
    assert build.calls == 2
    assert result.data == ENGINE
    assert "is damaged: " in result.reason
    if fault != "folder":
        assert cache.get(KEY, build).reason == ""


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_a_missing_half_is_built_again(tmp_path: Path, suffix: str) -> None:
    cache, build = EngineCache(tmp_path), Builder()
    cache.get(KEY, build)
    path = cache.path(KEY)
    path.with_name(path.name + suffix).unlink()
    assert cache.get(KEY, build).reason
    assert build.calls == 2


def test_without_room_on_the_disk_the_engine_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room(path: Path, data: bytes, what: str) -> None:
        raise UserError(f"cannot write the {what} {path}: No space left on device")

    monkeypatch.setattr(engine_cache, "write_whole", no_room)
    build = Builder()
    with caplog.at_level(logging.WARNING):
        assert EngineCache(tmp_path).get(KEY, build).data == ENGINE
    assert [record.message for record in caplog.records if "No space left" in record.message]
    assert not list(tmp_path.glob("*.engine*"))


def test_a_folder_that_cannot_be_made_is_no_obstacle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache, build = EngineCache(tmp_path / "file" / "engines"), Builder()
    assert cache.get(KEY, build).data == ENGINE
    assert "no cache of engines" in caplog.text


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> BuiltEngine:
        raise UserError("TensorRT does not take it")

    cache = EngineCache(tmp_path)
    with pytest.raises(UserError, match="does not take it"):
        cache.get(KEY, fail)
    build = Builder()
    assert cache.get(KEY, build).data == ENGINE, "and the lock is free"


def _get_slowly(folder: Path, log_file: Path) -> None:
    def build() -> BuiltEngine:
        with log_file.open("a") as file:
            file.write("built\n")
        time.sleep(0.5)
        return BuiltEngine(ENGINE, 0.5)

    assert EngineCache(folder).get(KEY, build).data == ENGINE


def test_two_processes_that_start_at_once_build_once(tmp_path: Path) -> None:
    log_file = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_get_slowly, args=(tmp_path, log_file)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert log_file.read_text() == "built\n"


def test_waiting_for_another_process_can_be_ended(tmp_path: Path) -> None:
    """A node that is stopped must not wait for the minutes that the build of another process takes."""
    builds, may_end, cancel = threading.Event(), threading.Event(), threading.Event()

    def build_for_long() -> BuiltEngine:
        builds.set()
        assert may_end.wait(60)
        return BuiltEngine(ENGINE, 60.0)

    other = threading.Thread(target=EngineCache(tmp_path).get, args=(KEY, build_for_long))
    other.start()
    try:
        assert builds.wait(60)
        cancel.set()
        with pytest.raises(BuildCancelled):
            EngineCache(tmp_path).get(KEY, Builder(), cancel=cancel)
    finally:
        may_end.set()
        other.join()
    assert EngineCache(tmp_path).get(KEY, Builder(), cancel=cancel).reason == "", "what is there can be had"


def test_the_hash_of_a_model_is_that_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"graph and weights")
    before = file_hash(path)
    path.write_bytes(b"graph and other weights")
    assert file_hash(path) != before
    with pytest.raises(UserError, match="cannot read"):
        file_hash(tmp_path / "none.onnx")


_texts = st.sampled_from(["a", "b", "../a", "NVIDIA A2", ""])
_parts = st.fixed_dictionaries({field.name: _texts for field in dataclasses.fields(EngineKey)})


@given(_parts, _parts)
def test_keys_that_differ_have_files_that_differ(first: dict[str, str], second: dict[str, str]) -> None:
    one, other = EngineKey(**first), EngineKey(**second)
    cache = EngineCache(Path("folder"))
    assert (cache.path(one) == cache.path(other)) == (one == other)
    assert bool(one.differences(other)) == (one != other)
    assert cache.path(one).parent == Path("folder"), "no part of a key leads out of the folder"


def test_a_header_comes_back_as_it_was_written(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    written = cache.get(KEY, Builder(), {"labels": "Stühle"}).header
    assert read_engine(cache.path(KEY), KEY).header == written
