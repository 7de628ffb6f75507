"""Taking at most so many frames per second, by their stamps."""

from __future__ import annotations


class RateLimit:
    """Accepts at most ``max_rate`` frames per second on average (0: every frame).

    Frames are due on a fixed raster, so that 30 Hz with jitter limited to 10 Hz stays 10 Hz and does not
    become 7.5 Hz because every third frame came a millisecond early.
    """

    def __init__(self, max_rate: float) -> None:
        self._period_ns = round(1e9 / max_rate) if max_rate > 0 else 0
        self._due_ns = 0

    def accepts(self, stamp_ns: int) -> bool:
        """Whether the frame of ``stamp_ns`` is to be processed."""
        if not self._period_ns:
            return True
        clock_set_back = stamp_ns < self._due_ns - 2 * self._period_ns
        if stamp_ns < self._due_ns and not clock_set_back:
            return False
        on_raster = self._due_ns + self._period_ns
        late = stamp_ns >= on_raster or clock_set_back
        self._due_ns = stamp_ns + self._period_ns if late else on_raster
        return True
