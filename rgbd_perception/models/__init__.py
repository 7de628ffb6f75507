"""The networks, pure torch: no ROS, no devices chosen here. Importing this package does not import torch."""

from rgbd_perception.models.checkpoint import LoadReport, load_checkpoint
from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.registry import create_model, list_models, unknown_model

__all__ = ["LoadReport", "ModelOutput", "create_model", "list_models", "load_checkpoint", "unknown_model"]
