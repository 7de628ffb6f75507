"""What the node ``mapping`` publishes; nothing is computed for a topic that nobody subscribes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from nav_msgs.msg import OccupancyGrid
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import QueryResult
from rgbd_perception.msg import MapObjectArray
from rgbd_perception.ros.detections import pack_detections, vision_messages
from rgbd_perception.ros.map_keeper import MapKeeper
from rgbd_perception.ros.map_messages import (
    box_region,
    colored_points,
    pack_markers,
    pack_objects,
    pack_occupancy,
    pack_points,
)
from rgbd_perception.ros.object_news import ObjectNews
from rgbd_perception.ros.qos import LATCHED, MAP_OUTPUT
from rgbd_perception.ros.type_errors import forget_type_errors

_GREY = (160, 160, 160)
_SAY_AGAIN_S = 60.0


class MappingOutputs:
    """The publishers below ``~/``. For any thread but that of the frames, which they would hold up."""

    def __init__(self, node: LifecycleNode, keeper: MapKeeper, frame_id: str) -> None:
        self._node = node
        self._keeper = keeper
        self._frame_id = frame_id
        self._told_of, self._news = keeper.map, ObjectNews()
        self._publishers: list[LifecyclePublisher] = []
        self._voxels = self._create(PointCloud2, "~/voxels", MAP_OUTPUT)
        self._objects = self._create(MapObjectArray, "~/objects", MAP_OUTPUT)
        self._markers = self._create(MarkerArray, "~/object_markers", MAP_OUTPUT)
        self._result = self._create(PointCloud2, "~/query_result", MAP_OUTPUT)
        self._occupancy = self._create(OccupancyGrid, "~/occupancy", LATCHED)
        self._occupancy_revision = 0
        self._vision = vision_messages()
        self._detections: LifecyclePublisher | None = None
        if self._vision is not None:
            self._detections = self._create(self._vision.Detection3DArray, "~/detections", MAP_OUTPUT)
        else:
            node.get_logger().info(
                "no ~/detections: vision_msgs is not installed (apt install ros-$ROS_DISTRO-vision-msgs)"
            )

    def publish_voxels(self) -> None:
        """``~/voxels``: x y z rgb label of every voxel."""
        if not _has_reader(self._voxels):
            return
        voxels = self._keeper.map.voxels()
        columns = colored_points(voxels.centers, voxels.colors)
        self._voxels.publish(pack_points(self._header(), {**columns, "label": voxels.labels}))

    def publish_objects(self) -> None:
        """``~/objects``, the same as boxes and names for RViz, and ``~/detections``; merges and splits go to
        the log."""
        if not any(map(_has_reader, (self._objects, self._markers, self._detections))):
            return
        present = self._keeper.map
        if present is not self._told_of:  # another map was loaded, in which ids mean other objects
            self._told_of, self._news = present, ObjectNews()
        objects = present.objects()
        for line in self._news.lines(objects):
            self._node.get_logger().info(line)
        message = pack_objects(self._header(), objects)
        if _has_reader(self._objects):
            self._objects.publish(message)
        if self._vision is not None and self._detections is not None and _has_reader(self._detections):
            self._detections.publish(pack_detections(self._vision, message.header, message.objects))
        if _has_reader(self._markers):
            colors = self._keeper.label_colors()
            chosen = [colors.get(item.label, _GREY) for item in message.objects]
            self._markers.publish(pack_markers(message.header, message.objects, chosen))

    def publish_occupancy(self) -> None:
        """``~/occupancy``, latched: where a robot can drive, if the map has changed since the last time."""
        revision = self._keeper.revision
        if revision == self._occupancy_revision or not _has_reader(self._occupancy):
            return
        try:
            grid = self._keeper.map.occupancy()
        except UserError as error:
            self._node.get_logger().warning(f"no ~/occupancy: {error}", throttle_duration_sec=_SAY_AGAIN_S)
            return
        self._occupancy.publish(pack_occupancy(self._header(), grid))
        self._occupancy_revision = revision

    def publish_result(self, results: Sequence[QueryResult]) -> None:
        """``~/query_result``: the voxels of the answers with query (from 0), rank (from 1) and score."""
        if not _has_reader(self._result):
            return
        present = self._keeper.map
        voxels = present.voxels()
        margin = present.config.voxel_size / 2
        query = np.zeros(len(voxels.centers), np.uint16)
        rank, score = np.zeros_like(query), np.zeros(len(query), np.float32)
        for number, result in enumerate(results):
            # The best answer last, so that it owns the voxels that it shares with a worse one.
            for place, answer in reversed(list(enumerate(result.answers, start=1))):
                inside = box_region(answer, margin).contains(voxels.centers)
                query[inside], rank[inside], score[inside] = number, place, answer.score
        chosen = rank > 0
        columns = colored_points(voxels.centers[chosen], voxels.colors[chosen])
        columns |= {"query": query[chosen], "rank": rank[chosen], "score": score[chosen]}
        self._result.publish(pack_points(self._header(), columns))

    def destroy(self) -> None:
        """Take the publishers out of the graph."""
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers = []

    def _create(self, message_type: type, topic: str, qos: QoSProfile) -> LifecyclePublisher:
        publisher: LifecyclePublisher = self._node.create_lifecycle_publisher(message_type, topic, qos)
        forget_type_errors()
        self._publishers.append(publisher)
        return publisher

    def _header(self) -> Header:
        return Header(stamp=self._node.get_clock().now().to_msg(), frame_id=self._frame_id)


def _has_reader(publisher: LifecyclePublisher | None) -> bool:
    return publisher is not None and publisher.is_activated and publisher.get_subscription_count() > 0
