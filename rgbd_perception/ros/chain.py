"""The books of the chain replay -> perception -> mapping: every frame that was sent is accounted for."""

from __future__ import annotations

from collections import Counter

from rgbd_perception.bookkeeping import LedgerCounts
from rgbd_perception.errors import UserError

TRANSPORT_LOST = "transport_lost"
"""Frames that one node sent and the next never received."""


def chain_counts(sent: int, perception: LedgerCounts, mapping: LedgerCounts) -> LedgerCounts:
    """One ledger for the whole chain: in at the camera, processed when in the map.

    sent  frames that replay published

    What perception "processed" it handed on; what mapping did not get of it was lost.

    Raises UserError where that does not add up: frames still on their way, or more received than sent.
    """
    for name, counts in (("perception", perception), ("mapping", mapping)):
        if counts.in_flight:
            raise UserError(f"the books of {name} are open: {counts.in_flight} frames are still on their way")
    lost = {
        "replay to perception": sent - perception.frames_in,
        "perception to mapping": perception.frames_processed - mapping.frames_in,
    }
    for way, count in lost.items():
        if count < 0:
            raise UserError(
                f"{-count} frames too many arrived on the way from {way}: another node publishes the same "
                "topics; choose another ROS_DOMAIN_ID"
            )
    drops = Counter(perception.drops) + Counter(mapping.drops) + Counter({TRANSPORT_LOST: sum(lost.values())})
    return LedgerCounts(sent, mapping.frames_processed, dict(drops))
