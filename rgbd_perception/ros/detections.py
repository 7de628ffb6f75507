"""Objects as ``vision_msgs/Detection3DArray``, where vision_msgs is installed: it is not on PyPI."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any

from std_msgs.msg import Header

from rgbd_perception.msg import MapObject


def vision_messages() -> ModuleType | None:
    """The module ``vision_msgs.msg`` (4.0 or newer, as from Humble on), or None where it is not installed."""
    try:
        return import_module("vision_msgs.msg")
    except ImportError:
        return None


def pack_detections(messages: ModuleType, header: Header, objects: Iterable[MapObject]) -> Any:
    """The objects with box, label (``class_id``), score and id, each with one hypothesis."""
    detections = []
    for item in objects:
        result = messages.ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = item.label, float(item.score)
        result.pose.pose = item.pose
        detection = messages.Detection3D(header=header, results=[result], id=str(item.id))
        detection.bbox.center, detection.bbox.size = item.pose, item.size
        detections.append(detection)
    return messages.Detection3DArray(header=header, detections=detections)
