"""Learning rates over time as the papers and their code have them."""

from __future__ import annotations

import pytest
import torch

from rgbd_perception.training.rates import Moment, OneCycle, Schedule, Stages, WarmupPoly


def _factor(schedule: Schedule, step: int, steps: int, epoch_steps: int) -> float:
    return schedule.factor(Moment(step, steps, step / steps, epoch_steps))


@pytest.mark.parametrize("epochs", [20, 50, 250])
def test_one_cycle_is_that_of_torch_stepped_per_epoch(epochs: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=epochs, pct_start=0.1, div_factor=25, final_div_factor=1e4
    )
    epoch_steps = 3
    for epoch in range(epochs):
        for step in range(epoch * epoch_steps, (epoch + 1) * epoch_steps):
            ours = _factor(OneCycle(), step, epochs * epoch_steps, epoch_steps)
            assert ours == pytest.approx(theirs.get_last_lr()[0], rel=1e-6), epoch
        optimizer.step()
        if epoch < epochs - 1:
            theirs.step()


def test_stages_of_geminifusion_on_nyudv2() -> None:
    """795 images in batches of 6: 132 steps an epoch, 13200 a stage, which ends at the factor 0.67."""
    schedule, epoch_steps = Stages(), 132
    steps = 300 * epoch_steps
    assert _factor(schedule, 0, steps, epoch_steps) == pytest.approx(1e-6)
    assert _factor(schedule, 750, steps, epoch_steps) == pytest.approx(0.5, abs=1e-5)
    assert _factor(schedule, 13_199, steps, epoch_steps) == pytest.approx(0.67, abs=1e-3)
    assert _factor(schedule, 13_200, steps, epoch_steps) == pytest.approx(0.5e-6)
    assert _factor(schedule, 2 * 13_200 + 1500, steps, epoch_steps) == pytest.approx(
        0.25 * (1 - 1500 / 40_000)
    )
    stages = [schedule.stage(Moment(step, steps, 0.0, epoch_steps)) for step in (0, 13_199, 13_200, 26_400)]
    assert stages == [0, 0, 1, 2]


def test_a_long_stage_ends_at_practically_nothing() -> None:
    assert 0.0 < _factor(Stages(), 66_000, 3 * 66_100, 661) < 1e-4


def test_deliver_warms_up_over_ten_epochs_and_still_learns_at_the_end() -> None:
    schedule, epoch_steps = WarmupPoly(), 10
    steps = 200 * epoch_steps
    assert _factor(schedule, 0, steps, epoch_steps) == pytest.approx(0.1)
    assert _factor(schedule, 50, steps, epoch_steps) == pytest.approx(0.55)
    assert _factor(schedule, 100, steps, epoch_steps) == pytest.approx(1.0)
    assert _factor(schedule, steps - 1, steps, epoch_steps) == pytest.approx((11 / 1910) ** 0.9)
