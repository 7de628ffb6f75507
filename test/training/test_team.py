"""Processes that train together: mean of gradients, the leader's word counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rgbd_perception.training.team import Team, TeamSession


def _work(team: Team, folder: Path) -> None:
    gradients = [torch.full((3,), float(team.rank)), torch.full((2, 2), 10.0 * team.rank)]
    team.average_(gradients)
    said = team.from_leader([float(team.rank), 7.0 + team.rank])
    torch.save({"gradients": gradients, "said": said}, folder / f"{team.rank}.pt")


def test_members_agree(tmp_path: Path) -> None:
    with TeamSession(2, _work, (tmp_path,)) as team:
        assert (team.rank, team.size) == (0, 2)
        _work(team, tmp_path)
    for rank in range(2):
        result = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert torch.equal(result["gradients"][0], torch.full((3,), 0.5))
        assert torch.equal(result["gradients"][1], torch.full((2, 2), 5.0))
        assert result["said"] == [0.0, 7.0]


def test_a_team_of_one_needs_no_process() -> None:
    gradient = torch.ones(3)
    with TeamSession(1, _work, ()) as team:
        team.average_([gradient])
        assert team.from_leader([1.5]) == [1.5]
    assert torch.equal(gradient, torch.ones(3))


def test_the_others_end_when_the_leader_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="leader"), TeamSession(2, _work, (tmp_path,)):
        raise RuntimeError("the leader fails")
