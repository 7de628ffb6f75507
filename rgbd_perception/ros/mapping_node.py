"""The node ``mapping``: frames with predictions in, a voxel map that answers texts out.

    executor thread   frames wait for their pose and class names ──► newest frame
    worker thread     fuses it into the map
    two more threads  answer queries; save, load, clear and publish (map_services.py)

so that neither a query nor a file keeps frames from being fused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.subscription import Subscription
from rclpy.timer import Timer

from rgbd_perception.bookkeeping import FrameLedger, StepTimer
from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping import MapConfig
from rgbd_perception.msg import LabelList, PerceptionFrame
from rgbd_perception.ros import diagnostics
from rgbd_perception.ros.drops import DropReporter
from rgbd_perception.ros.managed_node import ManagedNode
from rgbd_perception.ros.map_keeper import MapKeeper
from rgbd_perception.ros.map_services import MapServices
from rgbd_perception.ros.mapping_outputs import MappingOutputs
from rgbd_perception.ros.mapping_parameters import MappingParameters
from rgbd_perception.ros.messages import unpack_frame, unpack_vocabulary
from rgbd_perception.ros.parameters import declare
from rgbd_perception.ros.pose_source import make_pose_source
from rgbd_perception.ros.qos import FRAME, LATCHED, sensor_input
from rgbd_perception.ros.runtime import spin_node
from rgbd_perception.ros.type_errors import forget_type_errors
from rgbd_perception.ros.waiting_room import NotYet, WaitingRoom
from rgbd_perception.ros.worker import NewestFrameWorker

Arrival = tuple[RgbdFrame, Prediction]

_POLL_S = 0.02
"""How often waiting frames are tried again: tf tells nobody when a transform arrives."""


class MappingNode(ManagedNode):
    """See the module. Ledger, timer, rate and keeper are public for tests and for the container.

    take_frames  subscribe to ``frame``; False where frames come by ``accept`` (else each comes twice)
    kwargs       of rclpy's node (``parameter_overrides``, ``context`` ...)

    Raises UserError for parameters that cannot be used.
    """

    _is_built = False
    """A context that shuts down destroys half-made nodes too, such as those whose parameters were refused."""

    def __init__(self, node_name: str = "mapping", *, take_frames: bool = True, **kwargs: Any) -> None:
        super().__init__(node_name, **kwargs)
        self._take_frames = take_frames
        self.parameters = declare(self, MappingParameters)
        self.ledger = FrameLedger()
        self.timer = StepTimer()
        self.rate = diagnostics.FrameRate()
        self.keeper = MapKeeper(declare(self, MapConfig), self.parameters.map_frame)
        self._drop = DropReporter(self.ledger, self._warn, stopping=lambda: not self.context.ok())
        self._active = False
        self._problem = ""
        self._outputs: MappingOutputs | None = None
        self._worker: NewestFrameWorker[Arrival] | None = None
        self._inputs: list[Subscription] = []
        self._periodic: list[Timer] = []
        self._room = WaitingRoom(self._resolve, self._give_up, wait_s=self.parameters.pose_wait)
        self._poses = make_pose_source(
            self,
            self.parameters.pose_source,
            map_frame=self.parameters.map_frame,
            camera_in_child=self.parameters.camera_in_child,
            qos=sensor_input(self.parameters.pose_reliability, depth=100),
            on_arrival=self._room.poll,
        )
        self._requests = MapServices(self, self.keeper, self.parameters, self.timer, self._poses.frame_in_map)
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
            if self.trigger_configure() != TransitionCallbackReturn.SUCCESS:
                if not self._problem:  # a signal came meanwhile, which whoever spins looks for
                    raise RuntimeError("interrupted while starting")
                raise UserError(self._problem)
            self.trigger_activate()

    def accept(self, frame: RgbdFrame, prediction: Prediction) -> None:
        """Take over a frame and its prediction, by reference, from any thread. Never blocks on the map."""
        self.ledger.enter()
        if self._active:
            self._room.offer((frame, prediction))
        else:
            self._drop("inactive", "the node is not active")

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create outputs, worker and inputs; go on with the last map where ``load_on_start`` says so."""
        try:
            self._requests.load_on_start()
        except UserError as error:
            self._problem = f"cannot configure mapping: {error}"
            self.get_logger().error(self._problem)
            return TransitionCallbackReturn.FAILURE
        outputs = self._outputs = MappingOutputs(self, self.keeper, self.parameters.map_frame)
        self._requests.on_result = outputs.publish_result
        self._worker = NewestFrameWorker(
            self._fuse, drop=self._drop, done=self._on_fused, name="mapping worker"
        )
        self._inputs = [self.create_subscription(LabelList, "labels", self._on_labels, LATCHED)]
        if self._take_frames:
            self._inputs.append(self.create_subscription(PerceptionFrame, "frame", self._on_frame, FRAME))
        forget_type_errors()
        files = self._requests.files
        self._periodic = [
            self.create_timer(_POLL_S, self._room.poll),
            files.every(self.parameters.voxels_period, outputs.publish_voxels),
            files.every(self.parameters.objects_period, outputs.publish_objects),
            files.every(self.parameters.occupancy_period, outputs.publish_occupancy),
        ]
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Accept frames from now on."""
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Accept no more frames; finish those that are here."""
        self._stop_accepting()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take down what ``on_configure`` made. The map stays."""
        self._tear_down()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Like deactivating and cleaning up, from any state."""
        self._stop_accepting()
        self._tear_down()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        """End the threads, save where ``autosave`` is on, then end the node."""
        if self._is_built:
            self._stop_accepting()
            self._tear_down()
            self._requests.close()
        super().destroy_node()

    def _stop_accepting(self) -> None:
        self._active = False
        self._room.close()
        if self._worker is not None:
            self._worker.drain(timeout_s=5.0)

    def _tear_down(self) -> None:
        self._requests.on_result = None
        for timer in self._periodic:
            self.destroy_timer(timer)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._periodic, self._inputs = [], []
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        if self._outputs is not None:
            self._requests.files.wait()
            self._outputs.destroy()
            self._outputs = None

    # Frames

    def _on_labels(self, message: LabelList) -> None:
        try:
            self._requests.take_vocabulary(unpack_vocabulary(message))
        except (FrameDropped, UserError) as error:
            self.get_logger().error(f"class names not used: {error}")
        self._room.poll()

    def _on_frame(self, message: PerceptionFrame) -> None:
        try:
            frame, prediction = unpack_frame(message)
        except FrameDropped as error:
            self.ledger.enter()
            self._drop(error.reason, error.detail)
        else:
            self.accept(frame, prediction)

    def _resolve(self, arrival: Arrival) -> None:
        """Send a frame that has all it needs to the worker. Raises NotYet, FrameDropped."""
        frame, prediction = arrival
        if prediction.vocabulary_id != self.keeper.vocabulary_id:
            raise NotYet("vocabulary_missing", "remap `labels` to the topic ~/labels of perception")
        if frame.pose is None:
            frame = frame.with_pose(self._poses.lookup(frame.frame_id, frame.stamp_ns))
        if self._worker is None:
            raise FrameDropped("shutdown", "the node is being stopped")
        self._worker.submit((frame, prediction))

    def _give_up(self, arrival: Arrival, error: FrameDropped) -> None:
        del arrival
        self._drop(error.reason, error.detail)

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text)

    def _fuse(self, arrival: Arrival) -> None:
        """Worker thread. Raises FrameDropped."""
        with self.timer.measure("integrate"):
            report = self.keeper.integrate(*arrival)
        for step, milliseconds in report.step_ms.items():
            self.timer.add(f"integrate/{step}", milliseconds)

    def _on_fused(self) -> None:
        self.ledger.processed()
        self.rate.mark()

    # Diagnostics

    def _state(self) -> tuple[bytes, str]:
        if not self._active:
            return diagnostics.WARN, "inactive" if self._worker is not None else "not configured"
        if not self._requests.is_warm:
            return diagnostics.WARN, "compiling the map's kernels"
        if not self.keeper.vocabulary_id:
            return diagnostics.WARN, "waiting for class names on `labels`: is perception running?"
        if self.parameters.preload_text_encoder and not self.keeper.encoder_is_loaded():
            problem = self._requests.encoder_problem
            return (diagnostics.ERROR, problem) if problem else (diagnostics.WARN, "loading the text encoder")
        if self._requests.autosave_problem:
            return diagnostics.ERROR, self._requests.autosave_problem
        return diagnostics.OK, "running"

    def _details(self) -> dict[str, object]:
        present = self.keeper.map
        voxels, size = len(present), present.nbytes
        return {
            "voxels": voxels,
            "map_bytes": size,
            "bytes_per_voxel": round(size / voxels, 1) if voxels else 0.0,
            "frames_waiting": len(self._room),
            "vocabulary_id": self.keeper.vocabulary_id,
            "map_frame": self.parameters.map_frame,
            "pose_source": self.parameters.pose_source,
        }


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return spin_node(MappingNode, args)


if __name__ == "__main__":
    sys.exit(main())
