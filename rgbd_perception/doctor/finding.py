"""What a check says: ok, a warning, or a failure, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    check   short stable name
    status  ``ok``, ``warn`` (works, but less well or less far), ``fail`` (something will not work)
    detail  what was found
    advice  what to do; empty when there is nothing to do
    """

    check: str
    status: str
    detail: str
    advice: str = ""


def ok(check: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(check, OK, detail)


def warn(check: str, detail: str, advice: str) -> Finding:
    """It works, but less well or less far than it could."""
    return Finding(check, WARN, detail, advice)


def fail(check: str, detail: str, advice: str) -> Finding:
    """Something that the user asks for will not work."""
    return Finding(check, FAIL, detail, advice)
