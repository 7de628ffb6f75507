"""When a step goes wrong: which sample spoilt the loss, and how many samples would fit into the memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rgbd_perception.training.objective import Objective, TrainingBatch

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""In the messages of the allocators of GPU and CPU."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, of the device or of the machine."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _NO_MEMORY)


def largest_fitting(objective: Objective, batch: TrainingBatch) -> int:
    """How many samples of the size of the first in ``batch`` can be trained at once: tried, by halving.

    0 where not even one can. The weights stay as they are; gradients are dropped.
    """
    size = len(batch.names)
    while size := size // 2:
        if _fits(objective, batch, size):
            return size
    return 0


def memory_advice(objective: Objective, batch: TrainingBatch, accumulate: int) -> str:
    """What to do about memory that ran out at ``batch``, one of ``accumulate`` parts."""
    size = len(batch.names)
    fitting = largest_fitting(objective, batch)
    said = f"out of memory with {size} samples at once, "
    if not fitting:
        return said + "not even one fits: use smaller crops, a smaller network, or precision=bf16"
    parts = accumulate * math.ceil(size / fitting)
    return said + f"{fitting} would fit: accumulate={parts} trains the same batch in such parts"


def _fits(objective: Objective, batch: TrainingBatch, size: int) -> bool:
    objective.zero_grad(set_to_none=True)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    try:
        total = _total(objective(batch.part(0, size)))
        total.backward()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        objective.zero_grad(set_to_none=True)
    return True


@torch.no_grad()
def spoilers(objective: Objective, batches: Sequence[TrainingBatch]) -> list[str]:
    """Names of the samples whose loss, each by itself, is not finite."""
    was_training = objective.training
    objective.eval()  # a batch norm cannot train on one sample
    try:
        return [
            name
            for batch in batches
            for index, name in enumerate(batch.names)
            if not torch.isfinite(_total(objective(batch.part(index, index + 1))))
        ]
    finally:
        objective.train(was_training)


def _total(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()
