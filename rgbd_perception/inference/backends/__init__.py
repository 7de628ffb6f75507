"""What runs a network: torch, ONNX Runtime, ... behind one interface of numpy arrays; nothing heavy here."""

from rgbd_perception.inference.backends.base import Backend, BackendRequest, GridOutput, Unavailable
from rgbd_perception.inference.backends.choosing import BACKENDS, choose_backend

__all__ = ["BACKENDS", "Backend", "BackendRequest", "GridOutput", "Unavailable", "choose_backend"]
