"""Numbers from the small text files of data sets: intrinsics, poses, listings with stamps."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.geometry import nearest_rigid

Intrinsics = tuple[float, float, float, float]
"""fx, fy, cx, cy in pixels."""
_MOST_SECONDS = 1 << 31


def read_intrinsics(path: Path, given: Intrinsics | None, example: str) -> Intrinsics:
    """fx, fy, cx, cy: ``given`` by the user, or of the 3x3 matrix in the file ``path``.

    ``example`` is shown to the user as a value for --intrinsics. Raises UserError where neither is there, or
    where the file is not a 3x3 camera matrix with positive focal lengths.
    """
    if given is not None:
        return given
    hint = f"give --intrinsics FX,FY,CX,CY (for example {example})"
    if not path.is_file():
        raise UserError(f"expected the camera matrix in {path}, there is no such file: {hint}")
    try:
        matrix = np.array([float(part) for part in _read_text(path).replace(",", " ").split()])
    except ValueError:
        raise UserError(f"expected a 3x3 camera matrix in {path}, got something else: {hint}") from None
    if matrix.size != 9 or not np.all(np.isfinite(matrix)):
        raise UserError(f"expected a 3x3 camera matrix in {path}, got {matrix.size} numbers: {hint}")
    fx, fy, cx, cy = (float(matrix[place]) for place in (0, 4, 2, 5))
    if fx <= 0 or fy <= 0:
        raise UserError(f"expected positive focal lengths in {path}, got fx {fx:g}, fy {fy:g}: {hint}")
    return fx, fy, cx, cy


def parse_matrix_pose(text: str, name: str) -> NDArray[np.float64]:
    """The rigid (4, 4) pose of 16 numbers, row by row. Raises FrameDropped ``pose_invalid``."""
    try:
        numbers = np.array([float(part) for part in text.replace(",", " ").split()])
    except ValueError:
        raise FrameDropped("pose_invalid", f"{name} holds something else than numbers") from None
    if numbers.size != 16:
        raise FrameDropped("pose_invalid", f"expected 16 numbers in {name}, got {numbers.size}")
    return nearest_rigid(numbers.reshape(4, 4))


def parse_seconds(text: str) -> int:
    """Decimal seconds as integer nanoseconds, exactly (a float would lose some). Raises ValueError where it
    is none, or none that a stamp of ROS can hold."""
    try:
        seconds = Decimal(text)
        if not -_MOST_SECONDS <= seconds < _MOST_SECONDS:
            raise ValueError(f"expected seconds, got {text}: is it in another unit, such as nanoseconds?")
    except InvalidOperation:
        raise ValueError(f"expected seconds, got '{text}'") from None
    return int((seconds * 1_000_000_000).to_integral_value())


def read_stamped_lines(path: Path, fields: int) -> list[tuple[int, list[str]]]:
    """The lines "seconds field field ..." of a TUM listing, ordered by stamp in nanoseconds.

    Comments (#) and empty lines are left out. Raises UserError, naming the line, where one has fewer than
    ``fields`` fields after its stamp.
    """
    lines = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        parts = line.split("#", maxsplit=1)[0].replace(",", " ").split()
        if not parts:
            continue
        try:
            stamp = parse_seconds(parts[0])
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}") from None
        if len(parts) - 1 < fields:
            raise UserError(f"{path}, line {number}: expected {fields} fields after the stamp, got '{line}'")
        lines.append((stamp, parts[1:]))
    return sorted(lines, key=lambda entry: entry[0])


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"expected a text file, {path} cannot be read as one: {error}") from None
