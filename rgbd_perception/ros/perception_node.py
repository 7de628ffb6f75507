"""The node ``perception``: color, depth and camera info in; labels and embeddings out.

    callbacks (executor thread): count, pair ──► newest frame ──► worker: convert, rectify, fit,
                                                                          network, publish

Where the network is not on the processor, the next frame is converted, rectified and fitted beside it, in a
thread of its own.

A lifecycle node. The network is loaded in the background after configuring (minutes, if an engine is built);
a node that starts itself is inactive until then. It subscribes to the camera when it is active *and* the
network is ready, so that no frame is counted before it can be used.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image

from rgbd_perception.bookkeeping import FrameLedger, StepTimer
from rgbd_perception.camera_model import CameraModels
from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.inference.prepared_frame import PreparedFrame
from rgbd_perception.ros import diagnostics
from rgbd_perception.ros.ahead_worker import AheadWorker
from rgbd_perception.ros.background import BackgroundThread
from rgbd_perception.ros.drops import DropReporter
from rgbd_perception.ros.images import color_from_message, depth_from_message
from rgbd_perception.ros.managed_node import ManagedNode
from rgbd_perception.ros.messages import to_nanoseconds
from rgbd_perception.ros.pairing import Pair, Pairer
from rgbd_perception.ros.parameters import declare
from rgbd_perception.ros.perception_outputs import PerceptionOutputs, Wanted
from rgbd_perception.ros.perception_parameters import ALWAYS, AUTO, PerceptionParameters
from rgbd_perception.ros.predictor_slot import PredictorSlot
from rgbd_perception.ros.predictors import PredictorFactory, load_predictor
from rgbd_perception.ros.qos import sensor_input
from rgbd_perception.ros.rate_limit import RateLimit
from rgbd_perception.ros.runtime import spin_node
from rgbd_perception.ros.type_errors import forget_type_errors
from rgbd_perception.srv import SetVocabulary
from rgbd_perception.vocabulary import Vocabulary

ImagePair = Pair[Image, Image, CameraInfo]
FrameSink = Callable[[RgbdFrame, Prediction], None]


@dataclass(frozen=True)
class ReadyFrame:
    """A frame that waits for the network.

    wanted   what somebody listens to, when the preparation began
    arrival  time.monotonic() of color
    took_s   seconds of the preparation
    """

    prepared: PreparedFrame
    wanted: Wanted
    arrival: float
    took_s: float


class PerceptionNode(ManagedNode):
    """See the module. Ledger, timer and rate are public for tests and for the container.

    predictor_factory  makes the network from the parameters
    frame_sink         called in the worker thread with every frame and its prediction, by reference: a node
                       in the same process then needs no ``~/frame``. May raise FrameDropped
    kwargs             of rclpy's node (``parameter_overrides``, ``context`` ...)

    Raises UserError for parameters that cannot be used.
    """

    _is_built = False
    """A context that shuts down destroys half-made nodes too, such as those whose parameters were refused."""

    def __init__(
        self,
        node_name: str = "perception",
        *,
        predictor_factory: PredictorFactory = load_predictor,
        frame_sink: FrameSink | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(node_name, **kwargs)
        self.parameters = declare(self, PerceptionParameters)
        self.frame_sink = frame_sink
        self.ledger = FrameLedger()
        self.timer = StepTimer()
        self.rate = diagnostics.FrameRate()
        self._drop = DropReporter(self.ledger, self._warn, stopping=lambda: not self.context.ok())
        self._active = False
        self._activates_itself = self.parameters.autostart
        self._outputs: PerceptionOutputs | None = None
        self._worker: AheadWorker[ImagePair, ReadyFrame] | None = None
        self._inputs: list[Subscription] = []
        self._pairer: Pairer[Image, Image, CameraInfo] = Pairer(
            self._drop, slop_ns=round(self.parameters.slop * 1e9)
        )
        self._cameras = CameraModels(self.parameters.distortion)
        self._limit = RateLimit(self.parameters.max_rate)
        self._background = BackgroundThread(self, "perception model")
        self._loaded = self.create_guard_condition(self._on_loaded)
        self._network = PredictorSlot(predictor_factory, self.parameters, self._loaded.trigger)
        self._expiry = self.create_timer(self.parameters.max_wait / 2, self._on_expiry)
        self._set_vocabulary = self.create_service(SetVocabulary, "~/set_vocabulary", self._on_set_vocabulary)
        forget_type_errors()
        self._diagnostics = diagnostics.DiagnosticsPublisher(
            self,
            self.ledger,
            self.timer,
            rate=self.rate,
            state=self._state,
            extra=self._details,
            period_s=self.parameters.diagnostics_period,
        )
        self._is_built = True
        if self.parameters.autostart:
            self.trigger_configure()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create the outputs and the worker, and begin to load the network."""
        self._outputs = PerceptionOutputs(self, self.timer, with_color=self.parameters.frame_color)
        self._worker = AheadWorker(
            self._prepare,
            self._process,
            ahead=self._prepares_ahead,
            drop=self._drop,
            done=self.ledger.processed,
            name="perception worker",
        )
        self._network.open()
        self._background.run(self._load)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable the outputs; subscribe as soon as the network is there."""
        result = super().on_activate(state)
        self._active = True
        self._on_loaded()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, finish the frame that runs, disable the outputs."""
        self._stop_receiving()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take everything of ``on_configure`` down."""
        self._tear_down()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Like deactivating and cleaning up, from any state."""
        self._stop_receiving()
        self._tear_down()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        """End the threads, then the node. Every frame that came in has then been counted as something."""
        if self._is_built:
            self._stop_receiving()
            self._tear_down()
            self._background.close()
        super().destroy_node()

    def _tear_down(self) -> None:
        self._activates_itself = False
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        self._network.close()
        if self._outputs is not None:
            self._outputs.destroy()
            self._outputs = None

    # Network

    def _load(self) -> None:
        """Background thread."""
        try:
            self.get_logger().info(self._network.load())
        except UserError as error:
            self.get_logger().error(str(error))

    def _on_loaded(self) -> None:
        """Executor thread: tell who asks what the labels mean, and start to receive."""
        vocabulary = self._network.vocabulary
        if self._activates_itself and vocabulary is not None:
            self._activates_itself = False
            if not self._active:
                self.trigger_activate()  # which comes back here
                return
        if vocabulary is None or not self._active or self._outputs is None:
            return
        self._outputs.publish_vocabulary(vocabulary)
        if not self._inputs:
            qos = sensor_input(self.parameters.reliability)
            self._inputs = [
                self.create_subscription(CameraInfo, "color/camera_info", self._on_info, qos),
                self.create_subscription(Image, "depth/image", self._on_depth, qos),
                self.create_subscription(Image, "color/image", self._on_color, qos),
            ]

    async def _on_set_vocabulary(
        self, request: SetVocabulary.Request, response: SetVocabulary.Response
    ) -> SetVocabulary.Response:
        try:
            names = Vocabulary(list(request.names)).names
            vocabulary = await self._background.run(self._network.replace_vocabulary, names)
            assert vocabulary is not None  # rclpy types the result of every future as optional
        except UserError as error:
            response.message = str(error)
        except Exception as error:  # noqa: BLE001 - no memory, ...: the node goes on with what it has
            response.message = f"{type(error).__name__}: {error}"
            self.get_logger().error(f"set_vocabulary: {response.message}")
        else:
            response.success = True
            response.vocabulary_id = vocabulary.id
        return response

    # Frames

    def _on_info(self, message: CameraInfo) -> None:
        self._hand_over(self._pairer.add_info(message))

    def _on_depth(self, message: Image) -> None:
        self._hand_over(self._pairer.add_depth(to_nanoseconds(message.header.stamp), message))

    def _on_color(self, message: Image) -> None:
        self.ledger.enter()
        self._hand_over(self._pairer.add_color(to_nanoseconds(message.header.stamp), message))

    def _on_expiry(self) -> None:
        self._hand_over(self._pairer.expire(self.parameters.max_wait))

    def _hand_over(self, pairs: Sequence[ImagePair]) -> None:
        for pair in pairs:
            if self._worker is None:
                self._drop("shutdown", "the node is being stopped")
            elif not self._limit.accepts(pair.stamp_ns):
                self._drop("rate_limited")
            else:
                self._worker.submit(pair)

    def _stop_receiving(self) -> None:
        self._active = False
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        self._pairer.clear()
        if self._worker is not None:
            self._worker.drain(timeout_s=10.0)

    def _prepares_ahead(self) -> bool:
        policy = self.parameters.prepare_ahead
        return policy == ALWAYS or (policy == AUTO and not self._network.on_cpu)

    def _prepare(self, pair: ImagePair) -> ReadyFrame:
        """Worker threads: all that a frame needs before the network. Raises FrameDropped."""
        began = time.monotonic()
        wanted = self._existing_outputs().wanted()
        if not wanted.anything and self.frame_sink is None:
            raise FrameDropped("no_subscriber", "nobody subscribes to an output")
        with self.timer.measure("convert"):
            frame = self._frame_of(pair)
        prepared = self._network.prepare(frame)
        return ReadyFrame(prepared, wanted, pair.arrival, time.monotonic() - began)

    def _process(self, ready: ReadyFrame) -> None:
        """Worker thread: one frame from the network to messages. Raises FrameDropped."""
        outputs, frame, preprocess_ms = self._existing_outputs(), ready.prepared.frame, ready.prepared.took_ms
        began = time.monotonic()
        self.timer.add("wait", (began - ready.arrival - ready.took_s) * 1e3)
        prediction, vocabulary = self._network.predict(ready.prepared, ready.wanted.masks)
        self.timer.add("predict", (time.monotonic() - began) * 1e3 + preprocess_ms)
        for step, milliseconds in prediction.step_ms.items():
            self.timer.add(f"predict/{step}", milliseconds)
        outputs.publish(frame, prediction, vocabulary, ready.wanted)
        if self.frame_sink is not None:
            self.frame_sink(frame, prediction)
        self.timer.add("total", (time.monotonic() - ready.arrival) * 1e3)
        self.rate.mark()

    def _existing_outputs(self) -> PerceptionOutputs:
        if self._outputs is None:
            raise FrameDropped("shutdown", "the node is being stopped")
        return self._outputs

    def _frame_of(self, pair: ImagePair) -> RgbdFrame:
        camera = self._cameras.model(pair.info)
        color, depth = color_from_message(pair.color), depth_from_message(pair.depth)
        color, depth = camera.rectify(color, depth)
        header = pair.color.header
        return RgbdFrame(color, depth, camera.intrinsics, pair.stamp_ns, header.frame_id)

    # Diagnostics

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text)

    def _state(self) -> tuple[bytes, str]:
        if self._network.problem:
            return diagnostics.ERROR, self._network.problem
        if self._worker is None:
            return diagnostics.WARN, "not configured"
        if self._network.vocabulary is None:
            doing = self._network.report.text
            return diagnostics.WARN, f"loading model: {doing}" if doing else "loading model"
        if not self._active:
            return diagnostics.WARN, "inactive"
        missing = [s.topic_name for s in self._inputs if self.count_publishers(s.topic_name) == 0]
        if missing:
            return diagnostics.WARN, f"nobody publishes {', '.join(missing)}: check the remapping"
        return diagnostics.OK, "running"

    def _details(self) -> dict[str, object]:
        unused = {f"unused_depth/{reason}": count for reason, count in self._pairer.unused_depth.items()}
        return self._network.details() | dict(sorted(unused.items()))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return spin_node(PerceptionNode, args)


if __name__ == "__main__":
    sys.exit(main())
