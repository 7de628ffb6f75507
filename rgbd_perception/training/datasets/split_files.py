"""Text files that list the views of a split, one a line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rgbd_perception.errors import UserError


def list_splits(root: Path, known: tuple[str, ...]) -> tuple[str, ...]:
    """Which of the ``known`` splits have a file ``<split>.txt`` in ``root``."""
    return tuple(split for split in known if (root / f"{split}.txt").is_file())


def read_split(path: Path) -> tuple[str, ...]:
    """The lines of a split file. Raises UserError where it is missing, empty, or names a view twice."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        there = ", ".join(sorted(file.name for file in path.parent.glob("*.txt"))) or "none"
        raise UserError(f"expected the split file {path}, there is none; text files there: {there}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the split file {path}: {error}") from None
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not lines:
        raise UserError(f"the split file {path} is empty: expected a view a line")
    name, count = Counter(lines).most_common(1)[0]
    if count > 1:
        raise UserError(f"the split file {path} names {name!r} {count} times: expected every view once")
    return lines
