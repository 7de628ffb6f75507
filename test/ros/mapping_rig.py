"""A mapping node in a test, and a node that sends to it and asks it."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, PoseStamped
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

from rgbd_perception.frame import Prediction
from rgbd_perception.geometry import matrix_to_quaternion
from rgbd_perception.msg import LabelList, PerceptionFrame
from rgbd_perception.ros.mapping_node import MappingNode
from rgbd_perception.ros.messages import make_header, pack_vocabulary
from rgbd_perception.ros.qos import FRAME, LATCHED
from rgbd_perception.srv import MapFile, QueryPoint, QueryText
from test.ros.tiny_room import WALL_COLORS, room_frames

NAMES = ("curtain", "bookshelf", "door", "whiteboard", "rug", "ceiling")
"""What the six walls of the tiny room are said to be: at -x +x -y +y -z +z."""
STRIDE = 4
TEXT_SPACE = "all-MiniLM-L6-v2"


def predict(frame, vocabulary, encoder=None):
    """The exact prediction for a frame of the tiny room: a wall is known by its colour."""
    color = frame.color[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE].astype(int)
    labels = np.abs(color[:, :, None] - WALL_COLORS).sum(-1).argmin(-1).astype(np.uint16)
    return Prediction(
        cell_labels=labels,
        cell_confidence=np.full(labels.shape, 0.9, np.float32),
        stride=STRIDE,
        embedding=encoder.encode(NAMES)[labels].astype(np.float16) if encoder else None,
        model_id="exact",
        text_space=TEXT_SPACE if encoder else "",
        vocabulary_id=vocabulary.id,
    )


class Rig:
    """A mapping node, and a node that sends to it and asks it."""

    def __init__(self, served, **parameters):
        values = {"pose_source": "pose", "voxel_size": 0.1, "diagnostics_period": 0.1} | parameters
        self.served = served
        self.node = MappingNode(
            context=served.context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        served.add(self.node)
        self.user = served.node("user")
        self.frames = self.user.create_publisher(PerceptionFrame, "frame", FRAME)
        self.labels = self.user.create_publisher(LabelList, "labels", LATCHED)
        self.poses = self.user.create_publisher(PoseStamped, "pose", QoSProfile(depth=10))
        publishers = (self.frames, self.labels, self.poses)
        served.until(lambda: all(p.get_subscription_count() for p in publishers), what="discovery")

    @property
    def counts(self):
        return self.node.ledger.counts()

    def send_pose(self, frame):
        message = PoseStamped(header=make_header(frame.stamp_ns, "map"))
        p, q = message.pose.position, message.pose.orientation
        p.x, p.y, p.z = frame.pose[:3, 3]
        q.x, q.y, q.z, q.w = matrix_to_quaternion(frame.pose[:3, :3])
        self.poses.publish(message)

    def map_room(self, vocabulary, encoder=None, count=12):
        """Give the names and ``count`` frames, one after the other."""
        self.labels.publish(pack_vocabulary(vocabulary))
        self.served.until(lambda: self.node.keeper.vocabulary_id == vocabulary.id, what="the names")
        for frame in room_frames(count):
            before = self.counts.frames_processed
            self.node.accept(frame, predict(frame, vocabulary, encoder))
            self.served.until(lambda before=before: self.counts.frames_processed > before, what="a frame")

    def query(self, *texts, **fields):
        client = self.user.create_client(QueryText, "mapping/query_text")
        return self.served.call(client, QueryText.Request(texts=list(texts), **fields))

    def at(self, point, **fields):
        client = self.user.create_client(QueryPoint, "mapping/query_point")
        x, y, z = (float(value) for value in point)
        return self.served.call(client, QueryPoint.Request(position=Point(x=x, y=y, z=z), **fields))

    def file(self, service, path):
        client = self.user.create_client(MapFile, f"mapping/{service}")
        return self.served.call(client, MapFile.Request(path=str(path)))

    def clear(self):
        return self.served.call(self.user.create_client(Trigger, "mapping/clear_map"), Trigger.Request())

    def stop(self):
        self.served.remove(self.node)
        self.node.destroy_node()
