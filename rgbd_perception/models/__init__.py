"""The networks, pure torch: no files but checkpoints, no ROS, no devices chosen here."""

from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.registry import create_model, list_models

__all__ = ["ModelOutput", "create_model", "list_models"]
