"""`bench map` as a user types it, on maps so small that the figures mean nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rgbd_perception.bench import plan
from rgbd_perception.bench.peers import importing
from rgbd_perception.cli.main import main
from rgbd_perception.errors import UserError

TINY = ["bench", "map", "--quick", "--voxels", "3000", "--dim", "16"]
PROMISED = {
    "update_ms", "update_full_depth_ms", "answers_ms_1m_8_texts", "scores_ms_1m_8_texts",
    "answers_p99_ms_while_mapping", "bytes_per_voxel", "answers_equal_percent", "voxels_equal_percent",
    "save_s_1m", "load_s_1m", "memory_bandwidth_gb_s", "sgemm_gflops", "peers",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    """``--quick`` with next to no repetitions."""
    short_plan = plan.BenchPlan(frames=2, repeats=1, seconds=0.1, apartments=1, views=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "quick_plan", lambda: short_plan)
        yield


@pytest.fixture(scope="module")
def result(short: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "result.json"
    assert main([*TINY, "--only", "updates,queries,memory,files", "--json", str(path)]) == 0
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_parts_on_the_map_are_all_measured(result):
    assert result.keys() >= PROMISED
    assert list(result["update_ms"]) == ["10k", "100k", "1M"]
    assert all(value > 0 for value in result["update_ms"].values())
    measured = (
        "update_full_depth_ms", "answers_ms_1m_8_texts", "scores_ms_1m_8_texts",
        "answers_p99_ms_while_mapping", "save_s_1m", "load_s_1m",
    )  # fmt: skip
    for key in measured:
        assert result[key] > 0, key
    assert result["bytes_per_voxel"] > 8  # a key alone takes as many
    assert result["voxels"] >= 3000
    assert result["trial"] is True
    assert [entry["kind"] for entry in result["updates"]] == ["update"] * 3 + ["update_full_depth"]


def test_what_was_not_chosen_is_null(result):
    assert result["memory_bandwidth_gb_s"] is None
    assert result["answers_equal_percent"] is None
    assert result["peers"] == {}


def test_every_key_is_documented(result, repository: Path):
    text = (repository / "docs" / "json.md").read_text(encoding="utf-8")
    section = text.partition("## `bench map`")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`(\w+)`", section))
    assert result.keys() <= documented
    assert result["while_mapping"].keys() | result["updates"][0].keys() <= documented


def test_machine_gives_limits_and_a_table(capsys):
    assert main([*TINY, "--only", "machine", "--json", "-"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["memory_bandwidth_gb_s"] > 0
    assert result["sgemm_gflops"] > 0
    assert result["limits"]["scores_fp16_read_ms"] == pytest.approx(
        3000 * 16 * 2 / result["memory_bandwidth_gb_s"] / 1e6, rel=0.5, abs=1e-4
    )
    assert "A TRIAL" in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "updates,speed"], "expected --only with some of machine, updates"),
        (["--only", ""], "expected --only"),
        (["--voxels", "5"], "expected --voxels of 100 or more, got 5"),
        (["--model", "no_model"], "expected a model of `rgbd-perception models list` or a weights file"),
        (["--dim", "0"], "expected --dim of 8 or more, got 0"),
        (["--apartments", "0"], "expected --apartments of 1 or more, got 0"),
    ],
)
def test_bad_options_are_one_line_and_status_two(arguments, said, capsys):
    assert main(["bench", "map", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("module", ["no_such_peer", "no_such_peer.part"])
def test_a_missing_peer_says_how_to_get_it(module):
    with pytest.raises(UserError, match=r"no-such-peer is not installed: pip install .*\[bench\]"):
        importing.import_peer(module, "no-such-peer")
