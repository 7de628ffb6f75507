"""When each frame of a recording is due when it is played. No ROS in here."""

from __future__ import annotations

from collections.abc import Iterator

from rgbd_perception.frame import RgbdFrame
from rgbd_perception.sources.base import Source

_NS = 1_000_000_000


def timeline(
    source: Source, *, rate: float = 1.0, fps: float = 0.0, loop: bool = False, limit: int = 0
) -> Iterator[tuple[int, RgbdFrame]]:
    """Yield (nanoseconds after the start of the play, frame); times are strictly increasing, also over loops.

    rate   factor of the speed
    fps    frames per second at rate 1 instead of the recorded distances in time; 0: as recorded
    loop   begin again at the end, one frame period after the last frame
    limit  stop after so many frames; 0: no limit
    """
    period_ns = round(_NS / (fps or source.frame_rate))
    pass_start_ns = due_ns = count = 0
    while True:
        first_ns: int | None = None
        for frame in source:
            if limit and count >= limit:
                return
            first_ns = frame.stamp_ns if first_ns is None else first_ns
            due_ns = count * period_ns if fps else pass_start_ns + frame.stamp_ns - first_ns
            yield round(due_ns / rate), frame
            count += 1
        if not loop or first_ns is None:
            return
        pass_start_ns = due_ns + period_ns
