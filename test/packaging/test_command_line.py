"""The entry point: lazy, quick, with the promised exit codes."""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rgbd_perception.cli import main as cli
from rgbd_perception.cli.output import text_output, write_json
from rgbd_perception.errors import UserError

HEAVY = (
    "torch",
    "open3d",
    "numba",
    "scipy",
    "cv2",
    "numpy",
    "rclpy",
    "matplotlib",
    "rosbags",
    "transformers",
)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def processor_seconds_of_children() -> float:
    """Unlike the clock on the wall, not that of whatever else keeps the machine busy."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from rgbd_perception.cli.main import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    result = run_python(code)
    assert result.stderr.strip() == "[]"
    for name in cli.available_commands():
        assert f"\n  {name} " in result.stdout


def test_help_takes_less_than_300_ms() -> None:
    durations = []
    for _ in range(3):
        start = processor_seconds_of_children()
        subprocess.run(
            [sys.executable, "-m", "rgbd_perception", "--help"], stdout=subprocess.DEVNULL, check=True
        )
        durations.append(processor_seconds_of_children() - start)
    assert min(durations) < 0.3


@pytest.mark.parametrize("name", cli.available_commands())
def test_every_sub_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"rgbd_perception.cli.{cli.module_name(name)}")
    assert name == module.NAME
    assert cli.COMMANDS[name] == module.HELP
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    page = capsys.readouterr().out
    assert page.startswith(f"usage: rgbd-perception {name}")
    assert f"rgbd-perception {name}" in module.EPILOG, "the epilog has examples"


@pytest.mark.parametrize(
    "command",
    [
        *("models list", "models import", "data check", "bench map", "bench model"),
        *("engine build", "engine info", "engine verify"),
    ],
)
def test_every_action_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    page = capsys.readouterr().out
    assert f"examples:\n  rgbd-perception {command.split()[0]}" in page


def test_the_table_has_every_module_of_the_folder() -> None:
    folder = Path(cli.__file__).parent
    # A module with the parts of a sub-command must be on offer, a helper need not.
    commands = {
        path.stem for path in folder.glob("*.py") if "\ndef add_arguments(" in path.read_text("utf-8")
    }
    assert commands == {cli.module_name(name) for name in cli.available_commands()}


@pytest.mark.parametrize("arguments", [["no-such-command"], ["doctor", "--no-such-option"]])
def test_bad_options_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "distill"])
def test_key_value_pairs_are_not_required(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([command])
    assert capsys.readouterr().err.endswith("the following arguments are required: config\n")


def test_a_user_error_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--graph", "-1"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: expected --graph between 0 and 600 seconds, got -1.0\n"
    assert captured.out == ""


def test_an_interrupt_ends_with_a_word_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert cli.main([]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "rgbd_perception", "doctor", "--help"],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert result.stderr == b""


def test_json_is_plain_json(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "result.json"
    result = {
        "fps": np.float32(12.5),
        "position": np.array([1.0, np.nan, 3.0]),
        "count": np.int64(3),
        "path": tmp_path,
        "good": np.bool_(True),
        "nested": {"infinite": float("inf"), "text": "Stühle"},
    }
    write_json(str(target), result)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(target.read_text("utf-8"), parse_constant=refuse) == {
        "fps": 12.5,
        "position": [1.0, None, 3.0],
        "count": 3,
        "path": str(tmp_path),
        "good": True,
        "nested": {"infinite": None, "text": "Stühle"},
    }


def test_json_on_standard_output_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with text_output("-"):
        print("for people")
    write_json("-", {"a": 1})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"a": 1}
    assert captured.err == "for people\n"


def test_json_that_cannot_be_written_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the JSON file"):
        write_json(str(tmp_path / "file" / "result.json"), {})


@pytest.mark.parametrize("target", [".", "file/result.json"])
def test_json_that_could_not_be_written_is_refused_before_the_work(target: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"(?i)json"), text_output(str(tmp_path / target)):
        raise AssertionError("the work has begun")


def test_json_for_a_terminal_without_utf_8_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    with monkeypatch.context() as patch:
        terminal = io.TextIOWrapper(content, "latin-1")
        patch.setattr(sys, "stdout", terminal)
        write_json("-", {"text": "a café, 椅子, \U0001f600"})
        terminal.flush()
    assert json.loads(content.getvalue().decode("ascii")) == {"text": "a café, 椅子, \U0001f600"}


def test_json_holds_what_was_no_utf_8(tmp_path: Path) -> None:
    write_json(str(tmp_path / "result.json"), {"text": "caf\udce9"})
    assert json.loads((tmp_path / "result.json").read_text("utf-8")) == {"text": "caf\udce9"}


def run_that_prints(text: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A sub-command that only prints ``text``, in a process of its own."""
    code = f"""
import sys
from rgbd_perception.cli import main as cli
def prints(arguments):
    print({text!r})
    if sys.stdout is not None:
        sys.stdout.flush()
    return 0
cli._run = prints
sys.exit(cli.main([]))
"""
    return subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, timeout=60, check=False, **options
    )


def test_letters_that_the_terminal_lacks_are_escaped() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = run_that_prints("椅子", env=environment, stdout=subprocess.PIPE)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"\\u6905\\u5b50\n", b"")


def test_output_to_a_full_disk_is_one_line_and_2() -> None:
    with Path("/dev/full").open("wb") as full:
        result = run_that_prints("an answer", stdout=full)
    assert (result.returncode, result.stderr) == (2, b"error: No space left on device\n")


def test_a_closed_standard_output_is_no_failure() -> None:
    result = subprocess.run(
        ["sh", "-c", '"$0" -m rgbd_perception models list >&-', sys.executable],
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
