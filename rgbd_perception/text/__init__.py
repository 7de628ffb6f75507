"""Text encoders and prompts. Importing this package loads no model and no heavy module."""

from rgbd_perception.text.encoder import TextEncoder
from rgbd_perception.text.registry import DEFAULT_TEXT_SPACE, create_text_encoder

__all__ = ["DEFAULT_TEXT_SPACE", "TextEncoder", "create_text_encoder"]
