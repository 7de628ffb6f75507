"""What sub-commands print: text for people, or one JSON object for programs."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rgbd_perception.errors import UserError


def with_examples(epilog: str) -> dict[str, Any]:
    """Arguments of ``add_parser`` that print ``epilog`` below the options as it stands."""
    return {"epilog": epilog, "formatter_class": argparse.RawDescriptionHelpFormatter}


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """The option ``--json FILE`` that every sub-command has."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write one JSON object to FILE; - writes it, and nothing else, to standard output",
    )


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """The option ``--model`` of the sub-commands that run a network."""
    parser.add_argument(
        "--model",
        default="rgbd_mini",
        help="network: a name, a weights file or an ONNX file of `export` (default %(default)s)",
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
    """Within this, ``print`` writes for people: to standard error where standard output is for the JSON.

    Raises UserError, before any work, where the JSON could not be written when it is done.
    """
    if json_target not in (None, "-"):
        _check_target(Path(json_target))
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
    escaped = json_target == "-" and not _is_utf_8(sys.stdout)
    text = json.dumps(_plain(result), indent=2, ensure_ascii=escaped, allow_nan=False)
    if json_target == "-":
        print(text)
        return
    path = Path(json_target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # UTF-8 lacks lone surrogates only (bytes of an argument that are no UTF-8), and JSON has that escape.
        path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"cannot write the JSON file {path}: {error.strerror or error}") from error


def _check_target(path: Path) -> None:
    """Raises UserError where ``path`` is no file, or one that cannot be written or made."""
    if path.is_dir():
        raise UserError(f"expected --json FILE or -, got the folder '{path}'")
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not (nearest == path or nearest.is_dir()):
        raise UserError(f"cannot write the JSON file {path}: {nearest} is no folder")
    if not os.access(nearest, os.W_OK):
        raise UserError(f"cannot write the JSON file {path}: no permission to write {nearest}")


def _is_utf_8(stream: object) -> bool:
    encoding = getattr(stream, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name == "utf-8"


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
