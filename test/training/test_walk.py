"""The walk of docs/training.md from images to an engine: its commands as they are there, a tiny budget."""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rgbd_perception.cli.main import main
from rgbd_perception.inference.weights import read_info
from rgbd_perception.models import create_model

SECTION = "\n## From labelled images to the robot\n"
MODEL = "geminifusion_mit_b0"
BUDGET = {"synth": ["--frames", "8", "--size", "96x128"], "train": ["steps=2"]}
"""What is added to the commands."""


def _blocks(text: str) -> list[str]:
    """The indented blocks of a page or a part of it, without their indentation."""
    paragraphs = text.split("\n\n")
    shown = [text.strip("\n").splitlines() for text in paragraphs if text.startswith(("    ", "\n    "))]
    return ["\n".join(line[4:] for line in lines) for lines in shown]


def _commands(block: str) -> list[list[str]]:
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("rgbd-perception ")]


@pytest.mark.parametrize("page", ["training", "teacher"])
def test_commands_of_a_page_are_understood(
    repository: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    text = (repository / "docs" / f"{page}.md").read_text(encoding="utf-8")
    commands = [command for block in _blocks(text) for command in _commands(block)]
    assert len(commands) >= 5
    for name, *arguments in commands:
        monkeypatch.setattr(f"rgbd_perception.cli.{name}.run", lambda args: 0)
        assert main([name, *arguments]) == 0


@pytest.mark.slow
def test_every_command_of_the_walk(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (repository / "docs" / "training.md").read_text(encoding="utf-8")
    blocks = _blocks(page.split(SECTION, 1)[1].split("\n## ", 1)[0])
    (recipe,) = (block for block in blocks if block.startswith("model: "))
    Path("my_rooms.yaml").write_text(recipe)
    torch.save({"segmenter": create_model(MODEL, num_classes=40).state_dict()}, "published.pth")
    commands = [command for block in blocks for command in _commands(block)]
    assert [command[0] for command in commands] == [
        *("synth", "data", "train", "segment"),
        *("export", "engine", "engine", "models", "train"),
    ]
    for command in commands:
        if command[0] == "engine" and not _can_build(command):
            continue
        assert main([*command, *BUDGET.get(command[0], [])]) == 0, command
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"out/labels.png", "my_rooms.onnx", "published.safetensors"} <= written
    weights = Path("runs/from_published/weights.safetensors")
    assert len(read_info(weights).labels) == load_file(weights)["decoder.linear_pred.weight"].shape[0] == 38


def _can_build(command: list[str]) -> bool:
    """Whether there is what a command of ``engine build`` takes here."""
    return "--ahead-of-time" in command and importlib.util.find_spec("tensorrt_rtx_bindings") is not None
