"""The node ``perception`` with a real network: the process a user starts, from weights file to message."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from rgbd_perception.inference.weights import WeightsInfo, save_weights
from rgbd_perception.models import create_model
from rgbd_perception.ros.diagnostics import latencies_of, values_of
from rgbd_perception.ros.environment import fastdds_environment
from rgbd_perception.ros.images import image_to_numpy
from rgbd_perception.ros.messages import unpack_frame, unpack_vocabulary
from test.ros.camera import HEIGHT, WIDTH, Camera
from test.ros.node_thread import NodeThread, wait_for

LABELS = ("wall", "floor", "chair")


def write_random_network(path: Path) -> WeightsInfo:
    """rgbd_mini as it is before training, with class embeddings out of the air."""
    torch.manual_seed(0)
    network = create_model("rgbd_mini")
    rows = (
        np.random.default_rng(0).normal(size=(len(LABELS), network.config.embedding_dim)).astype(np.float32)
    )
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    info = WeightsInfo(model="rgbd_mini", labels=LABELS, text_space="all-MiniLM-L6-v2")
    return save_weights(path, network.state_dict(), info, rows)


def test_the_process_with_a_real_network(tmp_path: Path) -> None:
    weights = tmp_path / "random.safetensors"
    info = write_random_network(weights)
    command = [sys.executable, "-m", "rgbd_perception.ros.perception_node", "--ros-args"]
    command += ["-p", f"model:={weights}", "-p", "network_threads:=1", "-p", "reliability:=reliable"]
    command += ["-p", "diagnostics_period:=0.1"]
    environment = os.environ | fastdds_environment()
    with NodeThread(lambda context: Camera(context, ("frame", "semantic", "labels"))) as thread:
        camera = thread.node
        assert isinstance(camera, Camera)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: process.poll() is not None or camera.is_heard(), 120, "the network is loaded")
            assert process.poll() is None, process.stderr
            camera.wait_until_heard()
            camera.send()
            wait_for(lambda: camera.received["frame"] and camera.received["semantic"], 60, "a prediction")
            wait_for(lambda: camera.counts().frames_processed == 1, 5, "diagnostics")
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 0 and "Traceback" not in errors, errors
    frame, prediction = unpack_frame(camera.received["frame"][0])
    assert frame.shape == (HEIGHT, WIDTH)
    assert prediction.model_id == info.model_id and prediction.text_space == info.text_space
    assert prediction.embedding is not None
    np.testing.assert_allclose(np.linalg.norm(prediction.embedding.astype(np.float32), axis=2), 1, atol=2e-3)
    vocabulary = unpack_vocabulary(camera.received["labels"][0])
    assert vocabulary.names == LABELS and prediction.vocabulary_id == vocabulary.id
    assert image_to_numpy(camera.received["semantic"][0]).max() < len(LABELS)
    assert camera.status is not None
    assert values_of(camera.status)["model_id"] == info.model_id
    assert {"predict/network", "predict/masks", "total"} <= set(latencies_of(camera.status))
