"""The books of the whole chain add up, or say where they do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.bookkeeping import LedgerCounts
from rgbd_perception.errors import UserError
from rgbd_perception.ros.chain import chain_counts

number = st.integers(0, 1000)
drops = st.dictionaries(st.sampled_from(["superseded", "pose_missing", "depth_missing"]), number)


@given(done=number, after=drops, lost_between=number, before=drops, lost_before=number)
def test_every_frame_is_accounted_for(done, after, lost_between, before, lost_before):
    mapping = LedgerCounts(done + sum(after.values()), done, after)
    handed_on = mapping.frames_in + lost_between
    perception = LedgerCounts(handed_on + sum(before.values()), handed_on, before)
    sent = perception.frames_in + lost_before
    chain = chain_counts(sent, perception, mapping)
    assert chain.frames_in == sent
    assert chain.frames_in == chain.frames_processed + sum(chain.drops.values())
    assert chain.drops.get("transport_lost", 0) == lost_before + lost_between
    assert 0 not in chain.drops.values()


def test_open_books_are_refused():
    with pytest.raises(UserError, match="perception are open: 2 frames"):
        chain_counts(10, LedgerCounts(10, 7, {"superseded": 1}), LedgerCounts(7, 7, {}))


def test_strange_frames_are_noticed():
    with pytest.raises(UserError, match=r"3 frames too many .* replay to perception"):
        chain_counts(10, LedgerCounts(13, 13, {}), LedgerCounts(13, 13, {}))
