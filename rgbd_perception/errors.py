"""The two ways this package says no: to a user, and to a frame."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right: one line with what was expected, what came and what to do.

    The command line prints it without a trace and exits with status 2; a service answers with it.
    """


class FrameDropped(Exception):
    """One frame that cannot be used. ``reason`` is a short stable name under which drops are counted."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
