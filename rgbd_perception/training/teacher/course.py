"""Teaching a data set: which views are left, who works on them, and what becomes of them.

A worker reads a view, asks the teacher and hands the lesson back; one process writes. So the files are the
same however many work, and a worker may die at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.views import LabelledViews
from rgbd_perception.training.teacher.base import Lesson, TeacherSpec
from rgbd_perception.training.teacher.segments import segment_ids
from rgbd_perception.training.teacher.storage import EmbeddingStore

Outcome = tuple[int, "Lesson | str"]
"""Number of a view and its lesson, or one line about why there is none."""

Workers = Callable[["Course", Sequence[int]], Iterator[Outcome]]
"""Teaches the views of these numbers, in any order."""


@dataclass(frozen=True)
class Course:
    """What a worker needs, and can be sent to another machine."""

    open_views: Callable[[], LabelledViews]
    teacher: TeacherSpec


@dataclass
class Report:
    """What became of the views of a split.

    done      finished before
    taught    finished now
    failed    name and reason of those that could not be read
    """

    done: int = 0
    taught: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class Worker:
    """One process' share of a course; loads data set and teacher once."""

    def __init__(self, course: Course) -> None:
        self._views = course.open_views()
        self._teacher = course.teacher.make()

    def teach(self, index: int) -> Lesson | str:
        """The lesson of view ``index``, or what is wrong with the view."""
        with one_thread():
            try:
                view = self._views.view(index)
                return self._teacher.teach(view, segment_ids(view, self._views.info.things))
            except UserError as error:
                return str(error)


def teach_here(course: Course, indices: Sequence[int]) -> Iterator[Outcome]:
    """In this process, one after the other."""
    worker = Worker(course)
    for index in indices:
        yield index, worker.teach(index)


def teach_split(
    course: Course,
    views: LabelledViews,
    store: EmbeddingStore,
    workers: Workers = teach_here,
    progress: Callable[[Iterable[Outcome], int, int], Iterable[Outcome]] | None = None,
) -> Report:
    """Teach what is not finished of ``views`` and store it.

    ``progress(outcomes, done, total)`` passes them on and may show them. Raises UserError where the disk
    refuses or the workers cannot go on; what is finished stays.
    """
    names = [views.name(index) for index in range(len(views))]
    split = views.info.split
    left = [index for index, name in enumerate(names) if not store.has(split, name)]
    report = Report(done=len(names) - len(left))
    if not left:
        return report
    outcomes: Iterable[Outcome] = workers(course, left)
    if progress is not None:
        outcomes = progress(outcomes, report.done, len(names))
    for index, lesson in outcomes:
        if isinstance(lesson, str):
            report.failed[names[index]] = lesson
        else:
            store.write(split, names[index], lesson)
            report.taught += 1
    return report


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this, torch computes on one core: sums of several threads round by their number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
