"""What goes on while a network is made ready, and whether somebody still waits for it."""

from __future__ import annotations

import threading


class LoadingReport:
    """Written by the thread that loads, read by others; thread-safe.

    text    one line for people, empty where there is nothing special to say
    cancel  set it, and what takes long ends soon
    """

    def __init__(self) -> None:
        self.text = ""
        self.cancel = threading.Event()

    def building(self, share: float, expected_seconds: float | None) -> None:
        """A build has come so far (0..1); ``expected_seconds``: what the last one took, if that is known."""
        last = f", the last time it took {expected_seconds:.0f} s" if expected_seconds else ""
        self.text = f"building the TensorRT engine, {share:.0%}{last}"
