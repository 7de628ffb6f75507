"""Processes that train one network together, through Lightning Fabric.

On one machine the wanted number of processes is started here. torchrun starts them itself, on one machine or
many, and we join in. On a busy machine without GPU several processes of one thread are faster than one of
several threads: threads wait for each other after each of the thousands of operations of a step, processes
once a step.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.queues import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from rgbd_perception.errors import UserError
from rgbd_perception.training.run_config import RunConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: one of them may be validating."""

PRECISIONS: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}

Work = Callable[..., Any]
"""``work(fabric, *arguments)``; importable, because processes are spawned."""


def launch(config: RunConfig, work: Work, *arguments: Any) -> Any:
    """Do ``work`` in every process; returns what the first of them returned.

    UserError from any of them is raised here; Ctrl-C and SIGTERM are handed on to all.
    """
    fabric = make_fabric(config)
    if fabric.world_size == 1 or _started_by_torchrun():
        return fabric.launch(_Member(config, work, arguments))
    from torch.multiprocessing.spawn import ProcessException, ProcessExitedException

    complaints = multiprocessing.get_context("spawn").SimpleQueue()
    with _HandSignalsOn() as signals:
        try:
            return fabric.launch(_Member(config, work, arguments, complaints))
        except ProcessException as error:
            if not complaints.empty():  # the others may have failed too: they lost the one that complained
                raise UserError(complaints.get()) from None
            if signals.seen and isinstance(error, ProcessExitedException):  # before they could care for them
                raise KeyboardInterrupt from None
            raise


def make_fabric(config: RunConfig) -> Fabric:
    """Fabric for the machine at hand. Raises UserError where it has not what ``config`` asks for."""
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    _quiet()
    device = _device(config, torch.cuda.is_available())
    processes, machines = _torchrun_sizes() if _started_by_torchrun() else (config.processes, 1)
    if device == "cuda" and processes > torch.cuda.device_count():
        raise UserError(
            f"processes: expected at most one for each GPU, got {processes} for {torch.cuda.device_count()}"
        )
    strategy: Any = "auto"
    if processes * machines > 1:
        # Gradients live in the buckets that are sent: no copies. Buffers are batch statistics, which every
        # process has of its own part; those of the first are saved.
        start: Literal["popen", "spawn"] = "popen" if _started_by_torchrun() else "spawn"
        strategy = DDPStrategy(
            start_method=start,
            timeout=PATIENCE,
            gradient_as_bucket_view=True,
            broadcast_buffers=False,
            find_unused_parameters=config.leaves_out,
        )
    return Fabric(
        accelerator=device,
        strategy=strategy,
        devices=processes,
        num_nodes=machines,
        precision=PRECISIONS[config.precision],
    )


def _device(config: RunConfig, cuda: bool) -> str:
    if config.device == "cuda" and not cuda:
        raise UserError("device: expected a CUDA GPU, found none: use device=cpu or auto")
    return "cuda" if cuda and config.device != "cpu" else "cpu"


def _started_by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _torchrun_sizes() -> tuple[int, int]:
    """Processes on this machine, and machines."""
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    return local, int(os.environ["WORLD_SIZE"]) // local


class _Member:
    """What every process does. An object, because Fabric looks into arguments and refuses frozen dataclasses.

    A process that was spawned hands its UserError over, for one line instead of a trace.
    """

    def __init__(
        self,
        config: RunConfig,
        work: Work,
        arguments: tuple[Any, ...],
        complaints: SimpleQueue[str] | None = None,
    ) -> None:
        self._config, self._work, self._arguments, self._complaints = config, work, arguments, complaints

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In a spawned process this is the first moment that is ours: before Fabric tells all it does."""
        self.__dict__.update(state)
        _quiet()

    def __call__(self, fabric: Fabric) -> Any:
        import torch

        threads = torch.get_num_threads()  # of the whole process, in which others may go on afterwards
        torch.set_num_threads(self._config.threads or threads)
        try:
            return self._work(fabric, *self._arguments)
        except UserError as error:
            if self._complaints is None:
                raise
            self._complaints.put(str(error))
            raise SystemExit(2) from None
        finally:
            torch.set_num_threads(threads)
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()


def _quiet() -> None:
    """Without what Fabric and torch tell about themselves."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    # Of 1x1 convolutions in channels-last memory: their gradients are copied, which is what we want.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated")  # older versions know only that


class _HandSignalsOn:
    """Within this, SIGINT and SIGTERM of this process go to the spawned ones, which save and end."""

    def __init__(self) -> None:
        self.seen = False

    def __enter__(self) -> _HandSignalsOn:
        kinds = (signal.SIGINT, signal.SIGTERM)
        here = threading.current_thread() is threading.main_thread()
        self._previous = {kind: signal.signal(kind, self._hand_on) for kind in kinds} if here else {}
        return self

    def __exit__(self, *error: object) -> None:
        for kind, handler in self._previous.items():
            signal.signal(kind, handler)

    def _hand_on(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
        for process in multiprocessing.active_children():
            process.terminate()
