"""What the node ``perception`` publishes, and whether anybody listens."""

from __future__ import annotations

from dataclasses import dataclass

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from rgbd_perception.bookkeeping import StepTimer
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.msg import EmbeddingGrid, LabelList, PerceptionFrame
from rgbd_perception.ros.images import labels_to_color_image, labels_to_image
from rgbd_perception.ros.messages import make_header, pack_embeddings, pack_frame, pack_vocabulary
from rgbd_perception.ros.qos import FRAME, LATCHED, SENSOR_DATA
from rgbd_perception.ros.type_errors import forget_type_errors
from rgbd_perception.vocabulary import Vocabulary


@dataclass(frozen=True)
class Wanted:
    """Which topics have a subscriber at this moment."""

    frame: bool
    semantic: bool
    semantic_color: bool
    embeddings: bool

    @property
    def masks(self) -> bool:
        """Whether somebody needs labels of every pixel, and not only of the grid."""
        return self.semantic or self.semantic_color

    @property
    def anything(self) -> bool:
        return self.frame or self.masks or self.embeddings


class PerceptionOutputs:
    """The publishers below ``~/``; a message is only made for a topic that somebody subscribes to."""

    def __init__(self, node: LifecycleNode, timer: StepTimer, *, with_color: bool) -> None:
        self._node = node
        self._timer = timer
        self._with_color = with_color
        self._publishers: list[LifecyclePublisher] = []
        self._frame = self._create(PerceptionFrame, "~/frame", FRAME)
        self._semantic = self._create(Image, "~/semantic", SENSOR_DATA)
        self._semantic_color = self._create(Image, "~/semantic_color", SENSOR_DATA)
        self._embeddings = self._create(EmbeddingGrid, "~/embeddings", SENSOR_DATA)
        self._labels = self._create(LabelList, "~/labels", LATCHED)

    def wanted(self) -> Wanted:
        """Ask the graph who listens now."""
        return Wanted(
            frame=_has_reader(self._frame),
            semantic=_has_reader(self._semantic),
            semantic_color=_has_reader(self._semantic_color),
            embeddings=_has_reader(self._embeddings),
        )

    def publish(
        self, frame: RgbdFrame, prediction: Prediction, vocabulary: Vocabulary, wanted: Wanted
    ) -> None:
        """Publish what is ``wanted`` of one instant, with the stamp and frame of the color image."""
        with self._timer.measure("publish"):
            if wanted.frame:
                self._frame.publish(pack_frame(frame, prediction, with_color=self._with_color))
            if wanted.embeddings and prediction.embedding is not None:
                header = make_header(frame.stamp_ns, frame.frame_id)
                self._embeddings.publish(pack_embeddings(header, prediction))
            if prediction.labels is not None:
                place = (prediction.labels, vocabulary, frame.stamp_ns, frame.frame_id)
                if wanted.semantic:
                    self._semantic.publish(labels_to_image(*place))
                if wanted.semantic_color:
                    self._semantic_color.publish(labels_to_color_image(*place))

    def publish_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Publish ``~/labels``; later subscribers get it too."""
        self._labels.publish(pack_vocabulary(vocabulary, self._node.get_clock().now().nanoseconds))

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


def _has_reader(publisher: LifecyclePublisher) -> bool:
    return publisher.is_activated and publisher.get_subscription_count() > 0
