"""Teaching a data set: all views, once, whatever happens in between."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.teacher import ray_workers
from rgbd_perception.training.teacher.base import Lesson, TeacherSpec
from rgbd_perception.training.teacher.course import Course, Outcome, teach_here, teach_split
from rgbd_perception.training.teacher.ray_workers import RayWorkers
from rgbd_perception.training.teacher.registry import FILE, register
from rgbd_perception.training.teacher.storage import EmbeddingStore
from rgbd_perception.training.teacher.taught import taught_views
from test.training.teacher.rooms import MeanColor, course, write_views


def files_below(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.npz"))}


def test_a_student_gets_segments_with_unit_embeddings(tmp_path: Path) -> None:
    plan = course(write_views(tmp_path / "data"))
    views = plan.open_views()
    report = teach_split(plan, views, EmbeddingStore(tmp_path / "out", "mean_color", "None"))
    assert (report.done, report.taught, report.failed) == (0, 5, {})
    taught = taught_views(views, tmp_path / "out", "mean_color")
    view = taught.view(3)
    assert view.name == taught.name(3) == "view3" and len(taught) == 5
    assert set(np.unique(view.segments)) == set(view.embeddings.ids)
    np.testing.assert_allclose(np.linalg.norm(view.embeddings.vectors, axis=2), 1.0, atol=1e-6)
    assert view.embeddings.vectors.shape == (len(view.embeddings.ids), 1, 3)
    assert np.linalg.norm(view.embeddings.image) == pytest.approx(1.0)


def test_only_what_is_missing_is_taught_again(tmp_path: Path) -> None:
    plan = course(write_views(tmp_path / "data"))
    views, store = plan.open_views(), EmbeddingStore(tmp_path / "out", "mean_color", "None")
    teach_split(plan, views, store)
    before = files_below(tmp_path / "out")
    store.segments_file("all", "view2").unlink()
    asked: list[int] = []

    def count(plan: Course, indices: list[int]) -> list[Outcome]:
        asked.extend(indices)
        return list(teach_here(plan, indices))

    report = teach_split(plan, views, store, count)
    assert asked == [2] and (report.done, report.taught) == (4, 1)
    assert files_below(tmp_path / "out") == before
    assert teach_split(plan, views, store, count).done == 5 and asked == [2]


def test_a_view_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    plan = course(write_views(tmp_path / "data"))
    (tmp_path / "data" / "label" / "view1.png").write_bytes(b"no image")
    report = teach_split(plan, plan.open_views(), EmbeddingStore(tmp_path / "out", "mean_color", "None"))
    assert report.taught == 4 and list(report.failed) == ["view1"]
    assert "view1.png" in report.failed["view1"]


def test_two_teachers_of_one_name_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"additional_meta": {"kept": 1}}')
    spec = TeacherSpec("e", {"weights_sha256": "a"}, MeanColor)
    register(tmp_path, spec, images=True)
    register(tmp_path, spec, images=True)
    with pytest.raises(UserError, match="differ in weights_sha256"):
        register(tmp_path, TeacherSpec("e", {"weights_sha256": "b"}, MeanColor), images=True)
    text = (tmp_path / FILE).read_text()
    assert '"kept": 1' in text and text.count('"e"') == 3  # two lists of estimators, and the facts
    (tmp_path / FILE).write_text("[]")
    with pytest.raises(UserError, match="names and values"):
        register(tmp_path, spec, images=True)


class DiesOnce(MeanColor):
    """Its process is killed at its third view, once in a folder that the environment names."""

    views = 0

    def teach(self, view: LabelledView, segments: NDArray[np.int32]) -> Lesson:
        """As MeanColor, where it survives."""
        self.views += 1
        marker = Path(os.environ["RGBD_PERCEPTION_TEST_MARKER"])
        if self.views == 3 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().teach(view, segments)


class DiesAlways(MeanColor):
    """No memory for it, say."""

    def teach(self, view: LabelledView, segments: NDArray[np.int32]) -> Lesson:
        """Never comes back."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.mark.slow
def test_a_killed_workers_share_is_done_by_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    data, marker = write_views(tmp_path / "data", 12), tmp_path / "killed"
    monkeypatch.setenv("RGBD_PERCEPTION_TEST_MARKER", str(marker))
    here, there = course(data), course(data, DiesOnce)
    views = here.open_views()
    teach_split(here, views, EmbeddingStore(tmp_path / "one", "mean_color", "None"))
    store = EmbeddingStore(tmp_path / "two", "mean_color", "None")
    report = teach_split(there, views, store, RayWorkers(workers=2))
    assert marker.exists(), "no worker was killed"
    assert (report.taught, report.failed) == (12, {})
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two")


@pytest.mark.slow
def test_workers_that_always_die_end_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    monkeypatch.setattr(ray_workers, "RETRIES", 1)
    plan = course(write_views(tmp_path / "data", 2), DiesAlways)
    store = EmbeddingStore(tmp_path / "out", "mean_color", "None")
    with pytest.raises(UserError, match="the workers died again and again"):
        teach_split(plan, plan.open_views(), store, RayWorkers(workers=1))
