"""Workers on all cores, all GPUs or many machines, by Ray (optional)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rgbd_perception.errors import UserError
from rgbd_perception.training.teacher.course import Course, Outcome, Worker

INSTALL = "pip install 'rgbd_perception[ray]'"
TOKEN_HINT = "; where the cluster asks for a token, set RAY_AUTH_MODE=token and its token here too"
AHEAD = 2
"""Views that a worker has at once, so that it never waits for the next."""

RESTARTS = 20
"""A worker is started again so often, and a view that was in its hands given out again ``RETRIES`` times."""

RETRIES = 5


@dataclass(frozen=True)
class RayWorkers:
    """Gives views to processes (as ``course.Workers``).

    workers   number of processes; 0: as many as there are GPUs where ``gpu``, else cores
    address   of a running cluster, "auto" for that of this machine; None starts one here while it is needed
    gpu       whether a worker holds a GPU
    """

    workers: int = 0
    address: str | None = None
    gpu: bool = False

    def __call__(self, course: Course, indices: Sequence[int]) -> Iterator[Outcome]:
        """Lessons in the order in which they are ready. Raises UserError where Ray or all workers fail."""
        ray = load_ray()
        _start(ray, self.address, self.workers)
        try:
            count = min(self.workers or _slots(ray, self.gpu), len(indices))
            options = ray.remote(
                num_cpus=1, num_gpus=int(self.gpu), max_restarts=RESTARTS, max_task_retries=RETRIES
            )
            kind = options(_worker_of(course))
            yield from _deal(ray, [kind.remote() for _ in range(count)], indices)
        finally:
            ray.shutdown()


def _worker_of(course: Course) -> type[Worker]:
    """A Worker that carries its course: what is an argument may be lost before a worker is started again."""

    class CourseWorker(Worker):
        def __init__(self) -> None:
            super().__init__(course)

    return CourseWorker


def load_ray() -> ModuleType:
    """Import Ray. Raises UserError that says how to install it."""
    try:
        import ray
    except ImportError as error:
        raise UserError(f"several workers need ray ({error}): {INSTALL}, or take --workers 1") from error
    return ray


def _start(ray: ModuleType, address: str | None, workers: int) -> None:
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if address is None:
            ray.init(num_cpus=workers or None, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        hint = "" if address is None else TOKEN_HINT
        raise UserError(f"cannot reach Ray at {address or 'this machine'}: {error}{hint}") from error


def _slots(ray: ModuleType, gpu: bool) -> int:
    there = int(ray.cluster_resources().get("GPU" if gpu else "CPU", 0))
    if there < 1:
        raise UserError(f"the Ray cluster has no {'GPU' if gpu else 'core'} for a worker")
    return there


def _deal(ray: ModuleType, actors: Sequence[Any], indices: Sequence[int]) -> Iterator[Outcome]:
    """Deal views out, ``AHEAD`` to each actor; who hands one in gets the next."""
    left = deque(indices)
    given: dict[Any, tuple[int, Any]] = {}

    def give(actor: Any) -> None:
        if left:
            index = left.popleft()
            given[actor.teach.remote(index)] = index, actor

    for _ in range(AHEAD):
        for actor in actors:
            give(actor)
    while given:
        (ready,), _ = ray.wait(list(given))
        index, actor = given.pop(ready)
        lesson = _result(ray, ready)
        give(actor)
        yield index, lesson


def _result(ray: ModuleType, ready: Any) -> Any:
    try:
        return ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        raise UserError(f"a worker failed: {_last_line(error)}") from error
    except ray.exceptions.RayError as error:
        raise UserError(
            f"the workers died again and again ({_last_line(error)}): is there memory for so many? Take "
            "fewer --workers; what is finished stays"
        ) from error


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
