"""Several single-threaded processes that train one network together, each on its part of every batch.

On a busy machine this is faster than several threads: threads wait for each other after each of the thousands
of operations of a step, processes once a step. All members start from the same weights and apply the same
averaged gradient, so their weights stay equal. Rank 0 decides when to stop, logs and saves.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

PATIENCE = timedelta(minutes=10)


class Team:
    """One member's view of the team; a team of one does nothing."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def average_(self, gradients: Iterable[Tensor]) -> None:
        """Replace the gradients by their mean over all members; they must be dense and equally many."""
        if self.size == 1:
            return
        tensors = list(gradients)
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        parts = flat.split([tensor.numel() for tensor in tensors])
        means = [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]
        torch._foreach_copy_(tensors, means)

    def from_leader(self, values: Sequence[float]) -> list[float]:
        """The values that rank 0 passed, in every member."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(shared, 0)
        return [float(value) for value in shared.tolist()]


class TeamSession:
    """A context manager in rank 0: starts ``work(team, *arguments)`` in the other members and waits for them.

    ``work`` must be importable (the members are spawned, not forked).
    """

    def __init__(self, size: int, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._size, self._work, self._arguments = size, work, arguments

    def __enter__(self) -> Team:
        if self._size == 1:
            return Team()
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rgbd_team_"))
            meeting = str(Path(folder) / "meeting")
            context = mp.get_context("spawn")
            self._members = [
                context.Process(
                    target=_member, args=(rank, self._size, meeting, self._work, self._arguments), daemon=True
                )
                for rank in range(1, self._size)
            ]
            # Members inherit that Ctrl-C is ignored: it is for rank 0 to tell them when to stop.
            previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
            for member in self._members:
                member.start()
            signal.signal(signal.SIGINT, previous)
            _join(0, self._size, meeting)
            self._cleanup = stack.pop_all()
        return Team(0, self._size)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._size == 1:
            return
        for member in self._members:
            if error is not None:
                member.terminate()
            member.join()
        dist.destroy_process_group()
        self._cleanup.close()


def _join(rank: int, size: int, meeting: str) -> None:
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=size, timeout=PATIENCE)


def _member(
    rank: int, size: int, meeting: str, work: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    _join(rank, size, meeting)
    work(Team(rank, size), *arguments)
    dist.destroy_process_group()
