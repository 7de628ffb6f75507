"""What the mapping node publishes for other packages: an occupancy grid, detections of vision_msgs."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import Pose, PoseWithCovariance, Vector3
from nav_msgs.msg import OccupancyGrid
from std_msgs.msg import Header

from rgbd_perception.mapping.export.occupancy import OCCUPIED
from rgbd_perception.msg import MapObject
from rgbd_perception.ros.detections import pack_detections, vision_messages
from rgbd_perception.ros.qos import LATCHED
from rgbd_perception.vocabulary import Vocabulary
from test.ros.mapping_rig import NAMES, Rig
from test.ros.spinning import spinner
from test.ros.tiny_room import HALF_SIZE


@pytest.fixture
def served():
    with spinner() as served:
        yield served


@pytest.fixture
def rig(served):
    """A node whose robot stands on the floor of the tiny room."""
    floor = {"find_floor": False, "floor_height": float(-HALF_SIZE[2]), "robot_height": 2.0}
    return Rig(served, occupancy_period=0.1, preload_text_encoder=False, **floor)


def _listen(rig, topic="mapping/occupancy"):
    received = []
    rig.user.create_subscription(OccupancyGrid, topic, received.append, LATCHED)
    return received


def test_the_grid_is_that_of_the_map(served, rig):
    received = _listen(rig)
    rig.map_room(Vocabulary(NAMES))
    grid = rig.node.keeper.map.occupancy()
    served.until(lambda: received and len(received[-1].data) == grid.cells.size)
    info = received[-1].info
    assert received[-1].header.frame_id == "map"
    assert info.resolution == pytest.approx(grid.resolution)
    assert (info.origin.position.x, info.origin.position.y) == pytest.approx(grid.origin)
    assert info.origin.orientation.w == 1
    cells = np.array(received[-1].data).reshape(info.height, info.width)
    np.testing.assert_array_equal(cells, grid.cells)
    wall = np.argwhere(cells == OCCUPIED)[:, 1] * info.resolution + grid.origin[0]
    assert np.median(wall) == pytest.approx(HALF_SIZE[0], abs=0.11)


def test_a_grid_comes_once_for_a_change_and_stays_for_those_who_come_later(served, rig):
    first = _listen(rig)
    rig.map_room(Vocabulary(NAMES))
    served.until(lambda: first)
    served.until(lambda: rig.node._outputs._occupancy_revision == rig.node.keeper.revision)
    served.for_seconds(0.3)
    count = len(first)
    later = _listen(rig)
    served.until(lambda: later, what="the latched grid")
    served.for_seconds(0.5)
    assert len(first) == count, "the map did not change"
    rig.map_room(Vocabulary(NAMES), count=1)
    served.until(lambda: len(first) > count)


def test_nothing_is_computed_for_nobody(served, rig, monkeypatch):
    rig.map_room(Vocabulary(NAMES), count=2)
    monkeypatch.setattr(
        type(rig.node.keeper.map), "occupancy", lambda self: pytest.fail("nobody has subscribed")
    )
    served.for_seconds(0.5)
    assert rig.node._outputs._occupancy_revision == 0


@dataclass
class _Hypothesis:
    class_id: str = ""
    score: float = 0.0


@dataclass
class _Result:
    hypothesis: _Hypothesis = field(default_factory=_Hypothesis)
    pose: PoseWithCovariance = field(default_factory=PoseWithCovariance)


@dataclass
class _Box:
    center: Pose = field(default_factory=Pose)
    size: Vector3 = field(default_factory=Vector3)


@dataclass
class _Detection:
    header: Header
    results: list[_Result]
    id: str
    bbox: _Box = field(default_factory=_Box)


@dataclass
class _Detections:
    header: Header
    detections: list[_Detection]


STAND_IN = SimpleNamespace(
    ObjectHypothesisWithPose=_Result, Detection3D=_Detection, Detection3DArray=_Detections
)
"""The fields of vision_msgs 4 (Humble to Kilted)."""


def test_a_detection_is_the_object():
    messages = vision_messages() or STAND_IN
    item = MapObject(id=7, label="chair", score=0.75)
    item.pose.position.x, item.pose.orientation.w, item.size.z = 1.5, 1.0, 0.9
    packed = pack_detections(messages, Header(frame_id="map"), [item])
    assert packed.header.frame_id == "map"
    (detection,) = packed.detections
    assert detection.id == "7"
    assert detection.header == packed.header
    assert (detection.bbox.center, detection.bbox.size) == (item.pose, item.size)
    (result,) = detection.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ("chair", 0.75)
    assert result.pose.pose == item.pose


@pytest.mark.skipif(vision_messages() is not None, reason="vision_msgs is installed")
def test_without_vision_msgs_the_node_says_so_and_works(capfd):
    with spinner() as served:
        rig = Rig(served, preload_text_encoder=False)
        rig.map_room(Vocabulary(NAMES), count=1)
        assert rig.counts.frames_processed == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if "vision_msgs" in line]
    assert len(lines) == 1
    assert "no ~/detections" in lines[0]
