"""After the warm-up no frame waits for the compiler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.inference import Predictor, depth_blocks, depth_bytes, masks
from rgbd_perception.inference.ahead import warm_up
from rgbd_perception.inference.backends.graph_io import encode_depth
from test.inference import frame_file


@pytest.mark.parametrize("read_only", [False, True])
def test_frames_compile_nothing_any_more(read_only):
    """Whether a frame came as a message (read-only) or not, and with images that are shrunk."""
    warm_up()
    # What others call comes with them from the cache.
    kernels = masks._interpolate, depth_blocks._pick, depth_blocks._pick_of_four, depth_bytes._round
    compiled = [list(kernel.signatures) for kernel in kernels]
    assert all(compiled)
    color = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    depth = np.full((480, 640), 2.0, np.float32)
    color.flags.writeable = depth.flags.writeable = not read_only
    frame = RgbdFrame(color, depth, CameraIntrinsics(500.0, 500.0, 319.5, 239.5, 640, 480))
    Predictor("rgbd_mini", backend="onnxruntime")(frame)
    encode_depth(depth, replace(frame_file.INFO, depth="millimetres"))
    assert [list(kernel.signatures) for kernel in kernels] == compiled
