"""Looking at what networks return."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from rgbd_perception.models import ModelOutput


def tensors(output: ModelOutput) -> dict[str, Tensor]:
    """The outputs that the network has, by field."""
    values = {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    return {name: value for name, value in values.items() if value is not None}
