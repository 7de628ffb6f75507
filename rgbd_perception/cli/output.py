"""What sub-commands print: text for people, or one JSON object for programs."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rgbd_perception.errors import UserError


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """The option ``--json FILE`` that every sub-command has."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write one JSON object to FILE; - writes it, and nothing else, to standard output",
    )


def add_untrained_argument(parser: argparse.ArgumentParser) -> None:
    """The option ``--untrained`` of sub-commands that run a network."""
    parser.add_argument(
        "--untrained",
        action="store_true",
        help="run a network without trained weights with random ones: the labels mean nothing",
    )


def warn_untrained(model_id: str) -> None:
    """Say so where a network has random weights."""
    from rgbd_perception.inference.weights import untrained_note

    if note := untrained_note(model_id):
        print(f"warning: {note}", file=sys.stderr)


@contextlib.contextmanager
def text_output(json_target: str | None) -> Iterator[None]:
    """Within this, ``print`` writes for people: to standard error where standard output is for the JSON."""
    if json_target == "-":
        with contextlib.redirect_stdout(sys.stderr):
            yield
    else:
        yield


def write_json(json_target: str | None, result: dict[str, Any]) -> None:
    """Write ``result`` where ``--json`` says; nothing where it was not given. Numpy values become plain ones.

    Raises UserError where the file cannot be written.
    """
    if json_target is None:
        return
    text = json.dumps(_plain(result), indent=2, ensure_ascii=False, allow_nan=False)
    if json_target == "-":
        print(text)
        return
    path = Path(json_target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write the JSON file {path}: {error.strerror or error}") from error


def _plain(value: object) -> object:
    """``value`` in the types JSON has; numbers that are not finite, which it has not, become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's arrays and scalars, without importing numpy for every --help
        return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form")
