"""The first and the last moments of a process: a signal must not leave a trace or a wrong exit status."""

from __future__ import annotations

import os
import signal
import sys


class QuietStart:
    """From its making until ``over``, SIGINT and SIGTERM end the process with status 0 and without a trace.

    ``over`` is to be called when rclpy has installed its own handlers. They end the context, and call these
    too, which then do nothing. So there is no moment without a handler.
    """

    def __init__(self) -> None:
        self._is_over = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def over(self) -> None:
        """There may be something to save from now on."""
        self._is_over = True

    def _on_signal(self, number: int, frame: object) -> None:
        del number, frame
        if not self._is_over:
            os._exit(0)


def end_process(status: int) -> None:
    """End this process now. For when all is saved and all nodes are destroyed.

    Python's own way takes seconds with torch and ROS loaded, and forgets the signal handlers first: a SIGTERM
    in these seconds would look like a crash.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
