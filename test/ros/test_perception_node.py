"""The node ``perception`` over real Fast DDS: its own process, good frames, bad frames, lifecycle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.inference.loading_report import LoadingReport
from rgbd_perception.inference.prepared_frame import PreparedFrame
from rgbd_perception.ros.diagnostics import latencies_of, values_of
from rgbd_perception.ros.environment import fastdds_environment
from rgbd_perception.ros.images import image_to_numpy, numpy_to_image
from rgbd_perception.ros.messages import to_nanoseconds, unpack_embeddings, unpack_frame, unpack_vocabulary
from rgbd_perception.ros.perception_node import PerceptionNode
from rgbd_perception.ros.perception_parameters import PerceptionParameters
from rgbd_perception.srv import SetVocabulary
from test.ros.camera import HEIGHT, WIDTH, Camera, good_color, good_depth, good_info
from test.ros.color_predictor import ColorPredictor, make_color_predictor
from test.ros.node_thread import NodeThread, call, wait_for


@pytest.fixture(scope="module")
def process() -> Iterator[subprocess.Popen[str]]:
    """The node in a process of its own, with the shipped Fast DDS profile."""
    command = [sys.executable, "-m", "test.ros.color_predictor", "--ros-args"]
    command += ["-p", "reliability:=reliable", "-p", "diagnostics_period:=0.05", "-p", "max_wait:=0.2"]
    started = subprocess.Popen(
        command, env=os.environ | fastdds_environment(), stderr=subprocess.PIPE, text=True
    )
    yield started
    if started.poll() is None:
        started.send_signal(signal.SIGTERM)
        started.wait(10)


@pytest.fixture(scope="module")
def camera(process: subprocess.Popen[str]) -> Iterator[Camera]:
    os.environ.update(fastdds_environment())
    with NodeThread(Camera) as thread:
        camera = thread.node
        assert isinstance(camera, Camera)
        camera.wait_until_heard()
        wait_for(lambda: camera.received["labels"], 30, "labels of a transient local topic")
        wait_for(
            lambda: all(camera.count_publishers(f"perception/{n}") for n in camera.received), 30, "outputs"
        )
        yield camera


def new_counts(camera: Camera, frames: int, act: Callable[[], object]) -> tuple[int, Counter[str]]:
    """Processed frames and drops that ``act``, which sends ``frames`` color images, has led to."""
    before = camera.counts()
    act()
    wait_for(
        lambda: camera.counts().frames_in == before.frames_in + frames and camera.counts().in_flight == 0,
        30,
        f"{frames} frames are counted and done",
    )
    after = camera.counts()
    return after.frames_processed - before.frames_processed, Counter(after.drops) - Counter(before.drops)


def test_thirty_frames_and_the_ledger_balances(camera: Camera) -> None:
    camera.received["frame"].clear()

    def thirty_frames() -> None:
        for _ in range(30):
            camera.send()
            time.sleep(1 / 30)

    processed, drops = new_counts(camera, 30, thirty_frames)
    assert processed + sum(drops.values()) == 30
    assert set(drops) <= {"superseded"} and processed >= 10
    wait_for(lambda: len(camera.received["frame"]) == processed, 30, "every processed frame is published")
    assert camera.status is not None
    assert {"wait", "convert", "predict", "predict/network", "publish", "total"} <= set(
        latencies_of(camera.status)
    )
    assert float(values_of(camera.status)["fps"]) > 0


def test_all_outputs_of_one_instant(camera: Camera) -> None:
    topics = ("frame", "semantic", "semantic_color", "embeddings")
    for topic in topics:
        camera.received[topic].clear()
    # Counted to the end: the diagnostics of this frame must not be taken for those of the next test's.
    assert new_counts(camera, 1, camera.send) == (1, {})
    stamp_ns = camera.stamp_ns
    wait_for(lambda: all(camera.received[topic] for topic in topics), 30, "all outputs")
    for topic in topics:
        header = camera.received[topic][0].header
        assert (to_nanoseconds(header.stamp), header.frame_id) == (stamp_ns, "camera_optical")
    frame, prediction = unpack_frame(camera.received["frame"][0])
    np.testing.assert_array_equal(frame.color, image_to_numpy(good_color()))
    assert frame.depth == pytest.approx(1.5)
    assert (prediction.cell_labels[:, :8] == 0).all() and (prediction.cell_labels[:, 8:] == 2).all()
    semantic = image_to_numpy(camera.received["semantic"][0])
    assert (semantic[:, : WIDTH // 2] == 0).all() and (semantic[:, WIDTH // 2 :] == 2).all()
    vocabulary = unpack_vocabulary(camera.received["labels"][-1])
    colors = image_to_numpy(camera.received["semantic_color"][0])
    np.testing.assert_array_equal(colors, vocabulary.colors[semantic])
    embeddings = unpack_embeddings(camera.received["embeddings"][0])
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=2), 1, atol=1e-3)


def cut(message: Image) -> Image:
    message.data = message.data[:-1]
    return message


def other_encoding() -> Image:
    message = good_color()
    message.encoding = "yuv422_yuy2"
    return message


def zero_camera() -> dict[str, object]:
    info = good_info()
    info.k = [0.0] * 9
    return {"info": info}


def small_camera() -> dict[str, object]:
    info = good_info()
    info.width = 32
    return {"info": info}


BAD_FRAMES: list[tuple[str, Callable[[], dict[str, object]]]] = [
    ("encoding_unsupported", lambda: {"color": other_encoding()}),
    ("encoding_unsupported", lambda: {"depth": good_color()}),
    ("image_truncated", lambda: {"color": cut(good_color())}),
    ("image_truncated", lambda: {"depth": cut(good_depth())}),
    ("image_empty", lambda: {"color": Image(encoding="rgb8")}),
    ("depth_not_registered", lambda: {"depth": numpy_to_image(np.ones((24, 32), np.uint16), "16UC1")}),
    ("camera_info_invalid", zero_camera),
    ("camera_info_mismatch", small_camera),
    ("stamp_zero", lambda: {"stamp_ns": 0}),
    ("stamp_backward", lambda: {"stamp_ns": -500_000_000}),  # relative to the newest
    ("depth_missing", lambda: {"without": ("depth",)}),
    ("internal_error", lambda: {"stamp_ns": 33_000_666}),
]


@pytest.mark.parametrize(("reason", "bad"), BAD_FRAMES, ids=[reason for reason, _ in BAD_FRAMES])
def test_a_bad_frame_is_a_counted_drop_and_the_next_one_works(
    camera: Camera, reason: str, bad: Callable[[], dict[str, object]]
) -> None:
    arguments = bad()
    if arguments.get("stamp_ns"):
        arguments["stamp_ns"] = camera.stamp_ns + int(str(arguments["stamp_ns"]))
    _, drops = new_counts(camera, 1, lambda: camera.send(**arguments))  # type: ignore[arg-type]
    assert drops == {reason: 1}
    camera.stamp_ns += 33_000_000
    processed, drops = new_counts(camera, 1, camera.send)
    assert (processed, drops) == (1, {})


def test_depth_without_measurements_is_no_reason_to_drop(camera: Camera) -> None:
    camera.received["frame"].clear()
    values = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    values[0, :4] = [np.nan, np.inf, -1.0, 0.0]
    processed, drops = new_counts(camera, 1, lambda: camera.send(depth=numpy_to_image(values, "32FC1")))
    assert (processed, drops) == (1, {})
    wait_for(lambda: camera.received["frame"], 30, "the frame")
    frame, _ = unpack_frame(camera.received["frame"][0])
    assert frame.depth[0, :5].tolist() == [0, 0, 0, 0, 2.0]


def test_a_distorting_lens_is_rectified(camera: Camera) -> None:
    camera.received["frame"].clear()
    info = good_info()
    info.d = [-0.3, 0.1, 0.0, 0.0, 0.0]
    processed, drops = new_counts(camera, 1, lambda: camera.send(info=info))
    assert (processed, drops) == (1, {})
    wait_for(lambda: camera.received["frame"], 30, "the frame")
    frame, _ = unpack_frame(camera.received["frame"][0])
    assert set(np.unique(frame.depth.round(3))) <= {np.float32(0), np.float32(1.5)}
    assert new_counts(camera, 1, camera.send) == (1, {})  # an undistorted camera again


def test_a_clock_that_starts_again(camera: Camera) -> None:
    camera.stamp_ns -= 60_000_000_000
    for _ in range(3):
        assert new_counts(camera, 1, camera.send) == (1, {})


def test_the_vocabulary_can_be_replaced(camera: Camera) -> None:
    client = camera.create_client(SetVocabulary, "perception/set_vocabulary")

    def set_vocabulary(*names: str) -> SetVocabulary.Response:
        return call(client, SetVocabulary.Request(names=list(names)))

    refused = set_vocabulary("twice", "twice")
    assert not refused.success and "twice" in refused.message
    refused = set_vocabulary()
    assert not refused.success and "at least one" in refused.message
    before = len(camera.received["labels"])
    accepted = set_vocabulary("rot", "grün", "blau")
    assert accepted.success, accepted.message
    wait_for(lambda: len(camera.received["labels"]) > before, 30, "new labels")
    vocabulary = unpack_vocabulary(camera.received["labels"][-1])
    assert vocabulary.names == ("rot", "grün", "blau") and vocabulary.id == accepted.vocabulary_id
    camera.received["frame"].clear()
    assert new_counts(camera, 1, camera.send) == (1, {})
    wait_for(lambda: camera.received["frame"], 30, "a frame")
    assert camera.received["frame"][0].vocabulary_id == vocabulary.id


def test_the_process_ends_cleanly(process: subprocess.Popen[str], camera: Camera) -> None:
    camera.send()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    # One line for a kind of error, not one for a frame.
    assert errors.count("frame dropped: internal_error") == 1
    assert "ArithmeticError: a bug that only this frame wakes (color_predictor.py:" in errors


@contextmanager
def running(
    *outputs: str,
    sink: Callable[[RgbdFrame, Prediction], None] | None = None,
    factory: Callable[..., ColorPredictor] = make_color_predictor,
    **parameters: object,
) -> Iterator[tuple[PerceptionNode, Camera]]:
    """The node in this process and a namespace of its own, with a camera that listens to ``outputs``."""
    values = {"reliability": "reliable", "diagnostics_period": 0.05, "max_wait": 0.1} | parameters

    def make(context: rclpy.Context) -> PerceptionNode:
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        return PerceptionNode(
            predictor_factory=factory,
            frame_sink=sink,
            context=context,
            namespace="inside",
            parameter_overrides=overrides,
        )

    with (
        NodeThread(make) as perception,
        NodeThread(lambda context: Camera(context, outputs, "inside")) as camera,
    ):
        assert isinstance(perception.node, PerceptionNode) and isinstance(camera.node, Camera)
        yield perception.node, camera.node


def test_nothing_is_computed_when_nobody_listens() -> None:
    with running() as (node, camera):
        camera.wait_until_heard()
        _, drops = new_counts(camera, 1, camera.send)
        assert drops == {"no_subscriber": 1}
        assert node.timer.percentiles() == {}


def test_a_sink_gets_the_frame_itself_and_may_refuse_it() -> None:
    got: list[tuple[RgbdFrame, Prediction]] = []

    def sink(frame: RgbdFrame, prediction: Prediction) -> None:
        if got:
            raise FrameDropped("map_full", "as a map might say")
        got.append((frame, prediction))

    with running(sink=sink) as (_, camera):
        camera.wait_until_heard()
        assert new_counts(camera, 1, camera.send) == (1, {})
        assert new_counts(camera, 1, camera.send) == (0, {"map_full": 1})
    frame, prediction = got[0]
    assert frame.frame_id == "camera_optical" and prediction.labels is None


def test_frames_without_camera_info() -> None:
    with running("frame") as (_, camera):
        camera.wait_until_heard()
        _, drops = new_counts(camera, 1, lambda: camera.send(without=("info",)))
        assert drops == {"camera_info_missing": 1}


def test_distortion_can_be_refused() -> None:
    info = good_info()
    info.d = [-0.3, 0.1, 0.0, 0.0, 0.0]
    with running("frame", distortion="refuse") as (_, camera):
        camera.wait_until_heard()
        assert new_counts(camera, 1, lambda: camera.send(info=info)) == (0, {"distorted": 1})


def test_a_rate_limit_counts_what_it_leaves_out() -> None:
    with running(sink=lambda frame, prediction: None, max_rate=10.0) as (node, camera):
        camera.wait_until_heard()

        def second() -> None:
            for count in range(1, 31):
                camera.send()
                wait_for(
                    lambda count=count: node.ledger.counts().frames_in == count, 30, "a frame has come in"
                )

        processed, drops = new_counts(camera, 30, second)
        assert processed + drops["superseded"] == 10 and drops["rate_limited"] == 20


def test_a_model_that_cannot_be_loaded_is_said_and_survived() -> None:
    with running("frame", model="missing") as (_, camera):
        wait_for(
            lambda: camera.status is not None and "train one" in camera.status.message, 30, "diagnostics"
        )
        assert camera.status is not None and camera.status.level == b"\x02"
        assert not camera.is_heard()


class GatedPredictor(ColorPredictor):
    """Runs on the first frame only when the gate is open; notes what is prepared and when it runs."""

    def __init__(self, on_cpu: bool) -> None:
        super().__init__()
        self.on_cpu = on_cpu
        self.gate = threading.Event()
        self.prepared: list[int] = []
        self.runs: list[int] = []

    def prepare(self, frame: RgbdFrame) -> PreparedFrame:
        prepared = super().prepare(frame)
        self.prepared.append(frame.stamp_ns)
        return prepared

    def run(self, prepared: PreparedFrame, masks: bool = True) -> Prediction:
        self.runs.append(prepared.frame.stamp_ns)
        assert self.gate.wait(60)
        return super().run(prepared, masks)


@contextmanager
def running_gated(policy: str, on_cpu: bool) -> Iterator[tuple[PerceptionNode, Camera, GatedPredictor]]:
    """The network is busy with the first frame."""
    predictor = GatedPredictor(on_cpu)
    with running("frame", factory=lambda *_: predictor, prepare_ahead=policy) as (node, camera):
        camera.wait_until_heard()
        wait_for(lambda: camera.count_publishers("perception/frame"), 30, "outputs")
        camera.stamp_ns = 1_000_000_000
        try:
            camera.send()
            wait_for(lambda: predictor.runs, 30, "the network runs")
            yield node, camera, predictor
        finally:
            predictor.gate.set()


@pytest.mark.parametrize(("policy", "on_cpu"), [("always", True), ("auto", False)])
def test_the_next_frames_are_prepared_while_the_network_runs(policy: str, on_cpu: bool) -> None:
    with running_gated(policy, on_cpu) as (node, camera, predictor):
        for count in (2, 3):
            camera.send()
            wait_for(lambda count=count: len(predictor.prepared) == count, 30, "the frame is prepared")
        wait_for(lambda: node.ledger.counts().drops == {"superseded": 1}, 30, "the newer one waits")
        camera.send(color=cut(good_color()))
        wait_for(lambda: node.ledger.counts().drops.get("image_truncated") == 1, 30, "a bad one is counted")
        assert predictor.runs == predictor.prepared[:1]
        predictor.gate.set()
        wait_for(lambda: node.ledger.counts().in_flight == 0, 30, "all are done")
        assert predictor.runs == [predictor.prepared[0], predictor.prepared[2]]
        wait_for(lambda: len(camera.received["frame"]) == 2, 30, "two frames")
        assert set(node.timer.percentiles()) >= {"wait", "convert", "predict", "predict/network", "total"}
    counts = node.ledger.counts()
    assert (counts.frames_processed, counts.drops) == (2, {"superseded": 1, "image_truncated": 1})


@pytest.mark.parametrize(("policy", "on_cpu"), [("never", False), ("auto", True)])
def test_frames_are_prepared_when_their_turn_comes(policy: str, on_cpu: bool) -> None:
    with running_gated(policy, on_cpu) as (node, camera, predictor):
        camera.send()
        wait_for(lambda: node.ledger.counts().frames_in == 2, 30, "the second frame")
        newest = camera.send()
        wait_for(lambda: node.ledger.counts().drops == {"superseded": 1}, 30, "the third frame waits")
        assert len(predictor.prepared) == 1
        predictor.gate.set()
        wait_for(lambda: node.ledger.counts().frames_processed == 2, 30, "two frames are done")
        assert predictor.runs == predictor.prepared and predictor.runs[1] == newest


def test_a_node_that_stops_counts_what_is_prepared() -> None:
    with running_gated("always", on_cpu=True) as (node, camera, predictor):
        camera.send()
        wait_for(lambda: len(predictor.prepared) == 2, 30, "the frame is prepared")
        predictor.gate.set()
    counts = node.ledger.counts()
    assert counts.frames_in == 2 and counts.in_flight == 0 and set(counts.drops) <= {"shutdown"}


def test_the_outputs_are_the_same_whenever_frames_are_prepared() -> None:
    received = {}
    color = numpy_to_image(np.full((HEIGHT, WIDTH, 3), (60, 90, 30), np.uint8), "bgr8")
    depth = numpy_to_image(np.full((HEIGHT, WIDTH), 2.5, np.float32), "32FC1")
    for policy, prepared in (("always", 2), ("never", 1)):
        with running_gated(policy, on_cpu=True) as (node, camera, predictor):
            camera.send(color=color, depth=depth)
            wait_for(lambda node=node: node.ledger.counts().frames_in == 2, 30, "the frame has come in")
            wait_for(
                lambda p=predictor, n=prepared: len(p.prepared) == n, 30, "what is done beside the network"
            )
            predictor.gate.set()
            wait_for(lambda camera=camera: len(camera.received["frame"]) == 2, 30, "both frames")
            received[policy] = camera.received["frame"]
    assert received["always"] == received["never"]


def test_the_lifecycle_by_a_manager() -> None:
    made: list[ColorPredictor] = []

    def factory(*arguments: object) -> ColorPredictor:
        made.append(ColorPredictor())
        return made[-1]

    with running("frame", factory=factory, autostart=False) as (_, camera):
        client = camera.create_client(ChangeState, "perception/change_state")

        def change(transition: int) -> None:
            assert call(client, ChangeState.Request(transition=Transition(id=transition))).success

        assert camera.count_publishers("perception/frame") == 0
        for _ in range(2):
            change(Transition.TRANSITION_CONFIGURE)
            wait_for(lambda: camera.count_publishers("perception/frame") == 1, 30, "outputs")
            assert not camera.is_heard()
            change(Transition.TRANSITION_ACTIVATE)
            camera.wait_until_heard()
            assert new_counts(camera, 1, camera.send) == (1, {})
            change(Transition.TRANSITION_DEACTIVATE)
            wait_for(lambda: not camera.is_heard(), 30, "no inputs")
            change(Transition.TRANSITION_CLEANUP)
            wait_for(lambda: camera.count_publishers("perception/frame") == 0, 30, "no outputs")
        assert [predictor.closed for predictor in made] == [True, True]
        change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)


def test_a_node_that_starts_itself_is_inactive_until_its_network_is_ready() -> None:
    ready, stopped = threading.Event(), threading.Event()

    def factory(
        parameters: PerceptionParameters, labels: Sequence[str] | None, report: LoadingReport
    ) -> ColorPredictor:
        report.building(0.4, None)
        ready.wait(timeout=60)
        if report.cancel.is_set():
            stopped.set()
        return ColorPredictor()

    def told(camera: Camera, message: str) -> bool:
        return camera.status is not None and message in camera.status.message

    with running("frame", factory=factory) as (_, camera):
        client = camera.create_client(GetState, "perception/get_state")
        wait_for(lambda: told(camera, "loading model: building the TensorRT engine, 40%"), 30, "progress")
        assert call(client, GetState.Request()).current_state.id == State.PRIMARY_STATE_INACTIVE
        assert not camera.is_heard()
        ready.set()
        camera.wait_until_heard()
        assert call(client, GetState.Request()).current_state.id == State.PRIMARY_STATE_ACTIVE
        assert new_counts(camera, 1, camera.send) == (1, {})
    assert not stopped.is_set()

    ready.clear()
    with running("frame", factory=factory) as (node, camera):
        wait_for(lambda: told(camera, "40%"), 30, "progress")
        threading.Timer(0.5, ready.set).start()
        node.trigger_cleanup()
    assert stopped.is_set(), "whoever builds is told that nobody waits any more"
