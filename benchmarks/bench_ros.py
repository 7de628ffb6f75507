"""What ROS costs a frame beyond network and map: python benchmarks/bench_ros.py [--stride S] [--json FILE]

640x480 rgb8 color, 16UC1 depth, a grid of 384-d float16 embeddings (stride 4: 120x160 cells, 14.7 MB;
stride 8, as rgbd_mini has it at this size: 3.7 MB), at 30 Hz over Fast DDS with the shipped profile, to a
second process:

    convert    image messages to arrays            pack       values to PerceptionFrame
    pair       color, depth, camera info           transport  publish to callback, serialisation included
                                                   unpack     PerceptionFrame to values

In one process (the container) only `convert` and `pair` are left.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from rgbd_perception.bookkeeping import StepTimer
from rgbd_perception.camera_model import CameraModels
from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.msg import PerceptionFrame
from rgbd_perception.ros.environment import fastdds_environment
from rgbd_perception.ros.images import color_from_message, depth_from_message, numpy_to_image
from rgbd_perception.ros.messages import pack_frame, to_nanoseconds, to_stamp, unpack_frame
from rgbd_perception.ros.pairing import Pairer
from rgbd_perception.ros.qos import FRAME
from rgbd_perception.ros.replay_messages import camera_info_message

HEIGHT, WIDTH, DIM = 480, 640, 384
CAMERA = CameraIntrinsics(570.0, 570.0, 319.5, 239.5, WIDTH, HEIGHT)
RATE = 30.0
WARM_UP = 10
TOPIC = "bench/frame"


def make_images(rng: np.random.Generator) -> tuple[Image, Image]:
    """Noise: nothing here depends on what is in the pictures."""
    color = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    depth = rng.integers(500, 5000, (HEIGHT, WIDTH)).astype(np.uint16)
    return numpy_to_image(color, "rgb8"), numpy_to_image(depth, "16UC1")


def make_prediction(rng: np.random.Generator, stride: int) -> Prediction:
    grid = (HEIGHT // stride, WIDTH // stride)
    return Prediction(
        cell_labels=rng.integers(0, 38, grid).astype(np.uint16),
        cell_confidence=rng.random(grid).astype(np.float32),
        stride=stride,
        embedding=rng.normal(size=(*grid, DIM)).astype(np.float16),
        model_id="bench",
        text_space="bench",
        vocabulary_id="bench",
    )


class Sender:
    """What perception does with a frame, without the network."""

    def __init__(self, stride: int) -> None:
        rng = np.random.default_rng(0)
        self.timer = StepTimer()
        self._images = make_images(rng)
        self._prediction = make_prediction(rng, stride)
        self._info: CameraInfo = camera_info_message(CAMERA)
        self._cameras = CameraModels()
        self._pairer: Pairer[Image, Image, CameraInfo] = Pairer(self._refuse)

    def make(self, stamp_ns: int) -> PerceptionFrame:
        """One message out of the three of a camera."""
        color, depth = self._images
        with self.timer.measure("pair"):
            self._pairer.add_info(self._info)
            self._pairer.add_depth(stamp_ns, depth)
            (pair,) = self._pairer.add_color(stamp_ns, color)
        with self.timer.measure("convert"):
            model = self._cameras.model(pair.info)
            arrays = model.rectify(color_from_message(pair.color), depth_from_message(pair.depth))
            frame = RgbdFrame(*arrays, model.intrinsics, pair.stamp_ns, "camera")
        with self.timer.measure("pack"):
            return pack_frame(frame, self._prediction)

    def _refuse(self, reason: str, detail: str) -> None:
        raise RuntimeError(f"the benchmark's own frame was dropped: {reason}: {detail}")


def send(frames: int, stride: int) -> StepTimer:
    """Send ``frames`` messages at RATE once the other process listens."""
    sender = Sender(stride)
    node = Node("bench_sender")
    publisher = node.create_publisher(PerceptionFrame, TOPIC, FRAME)
    while publisher.get_subscription_count() == 0:
        time.sleep(0.05)
    time.sleep(0.5)
    start = time.monotonic()
    for index in range(frames + WARM_UP):
        if index == WARM_UP:
            sender.timer = StepTimer()
        time.sleep(max(0.0, start + index / RATE - time.monotonic()))
        message = sender.make((index + 1) * 33_000_000)
        # The monotonic clock is the same one in both processes.
        message.header.stamp = to_stamp(time.monotonic_ns())
        with sender.timer.measure("publish"):
            publisher.publish(message)
    time.sleep(1.0)
    node.destroy_node()
    return sender.timer


def receive(frames: int) -> dict[str, object]:
    """In the second process: count and time until ``frames`` have come or none comes for 3 s."""
    timer = StepTimer()
    node = Node("bench_receiver")
    received = 0
    last = time.monotonic() + 30.0

    def on_frame(message: PerceptionFrame) -> None:
        nonlocal received, last
        transport = time.monotonic_ns() - to_nanoseconds(message.header.stamp)
        received += 1
        last = time.monotonic()
        started = time.perf_counter()
        unpack_frame(message)
        if received > WARM_UP:
            timer.add("transport", transport / 1e6)
            timer.add("unpack", (time.perf_counter() - started) * 1e3)

    node.create_subscription(PerceptionFrame, TOPIC, on_frame, FRAME)
    while received < frames + WARM_UP and time.monotonic() < last + 3.0:
        rclpy.spin_once(node, timeout_sec=0.1)
    node.destroy_node()
    return {"received": received - WARM_UP, "latency_ms": timer.percentiles()}


def run(frames: int, stride: int) -> dict[str, object]:
    """Both processes; the result of the benchmark."""
    os.environ.update(fastdds_environment())
    command = [sys.executable, __file__, "--frames", str(frames), "--receive"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        rclpy.init()
        sent = send(frames, stride).percentiles()
        rclpy.try_shutdown()
        output, _ = receiver.communicate(timeout=60)
    got = json.loads(output)
    steps = sent | got["latency_ms"]
    here = ("pair", "convert")
    across = (*here, "pack", "transport", "unpack")
    return {
        "stride": stride,
        "frames_sent": frames,
        "frames_received": got["received"],
        "latency_ms": steps,
        "overhead_ms": {
            "one process": round(sum(steps[step]["p50"] for step in here), 3),
            "two processes": round(sum(steps[step]["p50"] for step in across), 3),
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print medians, and write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=120, help="frames after the warm-up")
    parser.add_argument("--stride", type=int, choices=(4, 8), default=4, help="color pixels along a cell")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.receive:
        rclpy.init()
        print(json.dumps(receive(args.frames)))
        rclpy.try_shutdown()
        return
    result = run(args.frames, args.stride)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
