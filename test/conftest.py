"""What every test can count on: its own ROS domain, no network, repeatable properties, the shared data."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

_held_locks: list[IO[str]] = []


def _claim_domain_id() -> int:
    """A ROS domain no other test process on this machine uses, held until this process ends.

    Ids 1 to 101 are those whose UDP ports lie below Linux' ephemeral range.
    """
    for offset in range(101):
        domain = 1 + (os.getpid() + offset) % 101
        lock = (Path(tempfile.gettempdir()) / f"rgbd_perception_domain_{domain}.lock").open(
            "w", encoding="utf-8"
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _held_locks.append(lock)
        return domain
    raise RuntimeError("all ROS domain ids from 1 to 101 are in use by test processes")


# Before anything imports rclpy or a text encoder; processes that tests start inherit it.
os.environ["ROS_DOMAIN_ID"] = str(_claim_domain_id())
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ.setdefault("ROS_LOG_DIR", tempfile.mkdtemp(prefix="rgbd_perception_test_log_"))
os.environ["HF_HUB_OFFLINE"] = "1"
# Weights that somebody has imported must not change what tests see.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="rgbd_perception_test_data_")

# "ci" finds the same examples every time; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("search", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images and sequences: $RGBD_PERCEPTION_DATA, or shared/data beside the checkout."""
    chosen = os.environ.get("RGBD_PERCEPTION_DATA")
    folder = Path(chosen) if chosen else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set RGBD_PERCEPTION_DATA to the folder that holds it")
    return folder
