"""Processes that are started together: a mistake of any is one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from rgbd_perception.errors import UserError
from rgbd_perception.training.launch import launch, make_fabric
from rgbd_perception.training.run_config import RunConfig

TWO = RunConfig(processes=2, threads=1, device="cpu")


def _fail_in_the_second(fabric: Any) -> None:
    if fabric.global_rank == 1:
        raise UserError("the second process found no data")
    fabric.barrier()  # it waits for the other in vain


def test_a_mistake_in_any_process_is_one_line() -> None:
    with pytest.raises(UserError, match="the second process found no data"):
        launch(TWO, _fail_in_the_second)


def test_the_threads_of_one_process_are_given_back() -> None:
    torch.set_num_threads(2)
    assert launch(replace(TWO, processes=1), lambda fabric: torch.get_num_threads()) == 1
    assert torch.get_num_threads() == 2


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="at most one for each GPU, got 2 for 1"):
        make_fabric(replace(TWO, device="auto"))
