"""A real network with random weights: what it says is nonsense, how it travels through the graph is not."""

from __future__ import annotations

from pathlib import Path


def write_random_weights(path: Path, names: tuple[str, ...] = ("wall", "floor", "chair", "table")) -> Path:
    """Write a weights file of rgbd_mini that was never trained; returns ``path``."""
    import torch

    from rgbd_perception.inference.weights import WeightsInfo, save_weights
    from rgbd_perception.models import create_model
    from rgbd_perception.text import create_text_encoder
    from rgbd_perception.text.prompts import embed_class_names

    torch.manual_seed(0)
    encoder = create_text_encoder()
    info = WeightsInfo("rgbd_mini", labels=names, text_space=encoder.text_space)
    save_weights(path, create_model("rgbd_mini").state_dict(), info, embed_class_names(encoder, names))
    return path
