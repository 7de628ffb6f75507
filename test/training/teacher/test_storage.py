"""Embeddings on disk: what the authors' tool writes is read, what is written here it can read."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.teacher.base import Lesson
from rgbd_perception.training.teacher.class_rows import (
    ClassRows,
    read_class_rows,
    save_class_rows,
    visual_means,
)
from rgbd_perception.training.teacher.pickled_dicts import read_embedding_dicts, write_embedding_dicts
from rgbd_perception.training.teacher.segments import segment_ids
from rgbd_perception.training.teacher.storage import EmbeddingStore
from test.training.teacher.rooms import MeanColor


def lesson(seed: int, count: int = 4, dim: int = 8, image: bool = True) -> Lesson:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, dim)).astype(np.float32)
    ids = (rng.permutation(60)[:count].astype(np.int64) + 1) << 16
    return Lesson(ids, rows, rng.standard_normal(dim).astype(np.float32) if image else None)


@given(seed=st.integers(0, 100), count=st.integers(0, 5), image=st.booleans())
def test_what_is_written_is_read_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, image: bool
) -> None:
    store = EmbeddingStore(tmp_path_factory.mktemp("store"), "e", "None")
    written = lesson(seed, count, image=image)
    assert not store.has("train", "a/b/0001")
    store.write("train", "a/b/0001", written)
    assert store.has("train", "a/b/0001")
    read = store.read("train", "a/b/0001")
    np.testing.assert_array_equal(read.ids, written.ids)
    assert len(read.rows) == count
    if count:
        np.testing.assert_array_equal(read.rows, written.rows)
    assert (read.image is None) == (not image)


def test_the_same_lesson_gives_the_same_bytes(tmp_path: Path) -> None:
    stores = [EmbeddingStore(tmp_path / name, "e", "40") for name in "ab"]
    for store in stores:
        store.write("train", "0000", lesson(1))
    first, second = (store.segments_file("train", "0000") for store in stores)
    os.utime(first, (0, 0))
    assert first.read_bytes() == second.read_bytes()


def test_the_files_are_those_of_the_authors_tool(tmp_path: Path, shared_data: Path) -> None:
    """Names, keys and shapes as their loader finds them, on a real image."""
    image = cv2.imread(str(shared_data / "nicr_sample" / "rgb" / "sample.png"))
    depth = cv2.imread(str(shared_data / "nicr_sample" / "depth" / "sample.png"), cv2.IMREAD_UNCHANGED)
    semantic = np.digitize(depth, (1, 2500, 3500)).astype(np.int16) - 1
    view = LabelledView("sample", np.ascontiguousarray(image[..., ::-1]), None, semantic)
    segments = segment_ids(view, (False,) * 3)
    store = EmbeddingStore(tmp_path, "alpha_clip__l14-336-grit-20m", "40")
    said = MeanColor().teach(view, segments)
    store.write("test", "sample", said)
    folder = tmp_path / "test"
    with np.load(folder / "panoptic_40_embedding_alpha_clip__l14-336-grit-20m" / "sample.npz") as file:
        assert list(file) == ["65536", "131072", "196608"]
        assert all(file[name].shape == (1, 3) and file[name].dtype == np.float32 for name in file)
    with np.load(folder / "image_embedding_alpha_clip__l14-336-grit-20m" / "sample.npz") as file:
        assert list(file) == ["arr_0"] and file["arr_0"].shape == (1, 3)
        np.testing.assert_allclose(file["arr_0"][0], image[..., ::-1].mean(axis=(0, 1)), rtol=1e-5)
    # As their tool may write it: in any order, compressed.
    theirs = {
        str(value): row.reshape(1, -1) for value, row in zip(said.ids[::-1], said.rows[::-1], strict=True)
    }
    np.savez_compressed(store.segments_file("test", "sample"), **theirs)
    read = store.read("test", "sample")
    np.testing.assert_array_equal(read.ids, said.ids[::-1])
    np.testing.assert_array_equal(read.rows, said.rows[::-1])


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, "e", "None")
    with pytest.raises(UserError, match="rgbd-perception teach"):
        store.read("train", "0000")
    store.write("train", "0000", lesson(0))
    path = store.segments_file("train", "0000")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match="no whole file"):
        store.read("train", "0000")
    np.savez(path, wall=np.ones((1, 8)))
    with pytest.raises(UserError, match="numbers of segments"):
        store.read("train", "0000")
    with pytest.raises(UserError, match=r"without \.\."):
        store.has("train", "../../0000")


def test_dictionaries_of_class_names_are_numpys_pickles(tmp_path: Path) -> None:
    path = tmp_path / "meta" / "names.npy"
    rows = {"a wall": np.arange(4, dtype=np.float32), "a chair": np.ones(4, np.float32)}
    write_embedding_dicts(path, {"one": rows})
    write_embedding_dicts(path, {"two": {"a wall": np.zeros(4, np.float32)}})
    theirs = np.load(path, allow_pickle=True).item()
    assert set(theirs) == {"one", "two"} and list(theirs["one"]) == ["a wall", "a chair"]
    np.save(path, {"three": {"a bed": np.full((1, 4), 2.0)}}, allow_pickle=True)
    np.testing.assert_array_equal(read_embedding_dicts(path)["three"]["a bed"], np.full(4, 2.0))


class Harmful:
    """What a hostile file would hold."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "names.npy"
    np.save(path, {"one": Harmful()}, allow_pickle=True)
    with pytest.raises(UserError, match="it would run"):
        read_embedding_dicts(path)
    path.write_bytes(pickle.dumps({"one": 1}))
    with pytest.raises(UserError, match="expected a dictionary"):
        read_embedding_dicts(path)


def test_visual_means_are_sums_over_the_segments_of_a_class(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, "e", "None")
    lessons = {name: lesson(seed) for seed, name in enumerate(("a", "b"))}
    for seed, (name, said) in enumerate(lessons.items()):
        ids = np.array([1 << 16, (2 << 16) + 1, (2 << 16) + 2, (2 << 16) + 3 + seed])
        lessons[name] = Lesson(ids, said.rows, said.image)
        store.write("train", name, lessons[name])
    text = np.eye(3, 8, dtype=np.float32)
    means = visual_means(store, "train", lessons, text)

    def unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

    chairs = sum(unit(said.rows[1:]).sum(axis=0) - 0.65 * 3 * unit(said.image) for said in lessons.values())
    np.testing.assert_allclose(means[1], unit(chairs), atol=1e-6)
    np.testing.assert_array_equal(means[2], text[2])  # never seen: its text
    rows = ClassRows(("wall", "chair", "lamp"), text, means)
    save_class_rows(tmp_path / "rows.npz", rows)
    read = read_class_rows(tmp_path / "rows.npz")
    assert read.names == rows.names
    np.testing.assert_array_equal(read.means, means)
    with pytest.raises(UserError, match="for classes below 1"):
        visual_means(store, "train", lessons, text[:1])
