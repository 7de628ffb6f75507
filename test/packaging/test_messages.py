"""The messages are those of the design, generated and compiled, and they travel over Fast DDS."""

from __future__ import annotations

import array
import time
from pathlib import Path
from typing import Any

import pytest

FIELDS = {
    "msg/PerceptionFrame": {
        "header": "std_msgs/Header",
        "intrinsics": "double[4]",
        "height": "uint32",
        "width": "uint32",
        "color": "sequence<uint8>",
        "depth": "sequence<uint8>",
        "stride": "uint32",
        "grid_height": "uint32",
        "grid_width": "uint32",
        "labels": "sequence<uint8>",
        "confidence": "sequence<uint8>",
        "embeddings": "rgbd_perception/EmbeddingGrid",
        "model_id": "string",
        "vocabulary_id": "string",
    },
    "msg/EmbeddingGrid": {
        "header": "std_msgs/Header",
        "height": "uint32",
        "width": "uint32",
        "dim": "uint32",
        "stride": "uint32",
        "encoding": "string",
        "scale": "float",
        "data": "sequence<uint8>",
        "model_id": "string",
        "text_space": "string",
    },
    "msg/LabelList": {
        "header": "std_msgs/Header",
        "vocabulary_id": "string",
        "text_space": "string",
        "ids": "sequence<uint16>",
        "names": "sequence<string>",
        "colors": "sequence<std_msgs/ColorRGBA>",
    },
    "msg/MapObject": {
        "id": "uint64",
        "label": "string",
        "query": "string",
        "score": "float",
        "pose": "geometry_msgs/Pose",
        "size": "geometry_msgs/Vector3",
        "voxels": "uint32",
        "last_seen": "builtin_interfaces/Time",
    },
    "msg/MapObjectArray": {"header": "std_msgs/Header", "objects": "sequence<rgbd_perception/MapObject>"},
    "srv/QueryPoint_Request": {
        "position": "geometry_msgs/Point",
        "radius": "float",
        "texts": "sequence<string>",
        "frame_id": "string",
    },
    "srv/QueryPoint_Response": {
        "success": "boolean",
        "message": "string",
        "voxels": "uint32",
        "nearest_distance": "float",
        "labels": "sequence<string>",
        "probabilities": "sequence<float>",
        "scores": "sequence<float>",
        "color": "std_msgs/ColorRGBA",
        "last_seen": "builtin_interfaces/Time",
    },
    "srv/QueryText_Request": {
        "texts": "sequence<string>",
        "negatives": "sequence<string>",
        "top_k": "uint32",
        "threshold": "float",
        "use_region": "boolean",
        "region_pose": "geometry_msgs/Pose",
        "region_size": "geometry_msgs/Vector3",
        "frame_id": "string",
    },
    "srv/QueryText_Response": {
        "success": "boolean",
        "message": "string",
        "objects": "sequence<rgbd_perception/MapObject>",
        "reasons": "sequence<string>",
    },
    "srv/MapFile_Request": {"path": "string"},
    "srv/MapFile_Response": {"success": "boolean", "message": "string"},
    "srv/SetVocabulary_Request": {"names": "sequence<string>"},
    "srv/SetVocabulary_Response": {"success": "boolean", "message": "string", "vocabulary_id": "string"},
}
"""The interface other packages are compiled against: a change here breaks their type hashes."""


def generated_type(name: str) -> Any:
    pytest.importorskip("rclpy", reason="the messages need ROS 2")
    from rgbd_perception import msg, srv

    folder, _, type_name = name.partition("/")
    if folder == "msg":
        return getattr(msg, type_name)
    service, _, part = type_name.partition("_")
    return getattr(getattr(srv, service), part)


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_those_of_the_design(name: str) -> None:
    assert generated_type(name).get_fields_and_field_types() == FIELDS[name]


def test_every_interface_file_is_in_the_list(repository: Path) -> None:
    files = {
        f"{path.parent.name}/{path.stem}"
        for kind in ("msg", "srv")
        for path in repository.glob(f"{kind}/*.*")
    }
    assert files == {name.removesuffix("_Request").removesuffix("_Response") for name in FIELDS}


def test_a_perception_frame_arrives_as_it_was_sent() -> None:
    rclpy = pytest.importorskip("rclpy")
    from rgbd_perception.msg import PerceptionFrame

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("test_messages", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    received: list[PerceptionFrame] = []
    node.create_subscription(PerceptionFrame, "frame", received.append, 2)
    publisher = node.create_publisher(PerceptionFrame, "frame", 2)
    sent = PerceptionFrame(height=480, width=640, intrinsics=[525.0, 525.5, 319.5, 239.5], model_id="é")
    sent.depth = array.array("B", bytes(range(256)) * 1200)
    sent.embeddings.dim = 384
    try:
        deadline = time.monotonic() + 20
        while not received and time.monotonic() < deadline:
            publisher.publish(sent)
            executor.spin_once(timeout_sec=0.2)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
    assert received
    assert received[0] == sent
