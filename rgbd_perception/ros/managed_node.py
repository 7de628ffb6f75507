"""A lifecycle node that leaves the graph when it is destroyed."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode


class ManagedNode(LifecycleNode):
    """rclpy's keeps its state machine, and with it the services of the lifecycle and the DDS participant.

    They would answer nobody until Python collects garbage, and clients that count the two ends of a service
    would take it for incomplete when only one of them is seen to go.
    """

    def destroy_node(self) -> None:
        """End the node and its services; a transition that is under way keeps the state machine till then."""
        super().destroy_node()
        vars(self).pop("_state_machine", None)  # not there yet where the context ends beside the making
