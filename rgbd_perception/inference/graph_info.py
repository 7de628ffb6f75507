"""What an exported ONNX file says about itself, so that a backend needs nothing but that file."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rgbd_perception.errors import UserError
from rgbd_perception.resources import PACKAGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
KEY = PACKAGE
"""Of the entry in the file's ``metadata_props``."""
KEY_ROWS = {name: f"{PACKAGE}.{name}" for name in ("class_embeddings", "classifier")}
"""Of the entries with the rows for ``labels``, as in a weights file: float32 in base64; optional."""


@dataclass(frozen=True)
class GraphInfo:
    """Everything that stands beside the graph, as JSON in its metadata.

    model, fingerprint   name of the network and hash of its weights: together the model id
    precision            "fp32" or "fp16" (of the network; what is around it is float32)
    size                 (H, W) of color and depth at the inputs
    stride               input pixels along one side of a cell
    depth                "metres": float32 (H, W); "millimetres": uint8 (H, W, 2), low byte first
    depth_mean, depth_std   metres; already in the graph, for people
    max_depth            metres; what is beyond counts as missing, already in the graph
    labels               class names of the masks the network has of its own
    text_space           of the embeddings; empty for a network with a classifier
    temperature          factor from cosine to class logit, in the rows of ``class_matrix``
    embedding_dim        0 for a network with a classifier
    max_classes          rows of ``class_matrix``; 0: any number
    """

    model: str
    fingerprint: str
    precision: str
    size: tuple[int, int]
    stride: int
    depth: str
    depth_mean: float
    depth_std: float
    max_depth: float
    labels: tuple[str, ...]
    text_space: str
    temperature: float
    embedding_dim: int
    max_classes: int

    @property
    def model_id(self) -> str:
        """Model name and fingerprint: what a prediction was made with."""
        return f"{self.model}-{self.fingerprint}"

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the cells."""
        return -(-self.size[0] // self.stride), -(-self.size[1] // self.stride)

    def to_json(self) -> str:
        """For the metadata of the file."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, ensure_ascii=False)


def parse_graph_info(metadata: Mapping[str, str], path: Path) -> GraphInfo:
    """What ``metadata`` of the ONNX file ``path`` says. Raises UserError where it is not ours."""
    text = metadata.get(KEY)
    if text is None:
        raise UserError(f"{path} was not made by {PACKAGE}: expected a file of `rgbd-perception export`")
    try:
        values: dict[str, Any] = json.loads(text)
        found = values.pop("format")
        if found != FORMAT:
            raise UserError(f"{path} has the format {found}, expected {FORMAT}: export it again")
        for name in ("size", "labels"):
            values[name] = tuple(values[name])
        return GraphInfo(**values)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} has damaged metadata ({error}): export it again") from error


def format_rows(rows: NDArray[np.float32]) -> str:
    """(C, D) for the metadata."""
    return base64.b64encode(np.ascontiguousarray(rows, "<f4").tobytes()).decode("ascii")


def parse_rows(text: str, info: GraphInfo, path: Path) -> NDArray[np.float32] | None:
    """The inverse of ``format_rows``; None for an empty text. Raises UserError where it does not fit."""
    if not text:
        return None
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
        return values.reshape(len(info.labels), info.embedding_dim).astype(np.float32)
    except ValueError as error:
        raise UserError(f"{path} has damaged metadata ({error}): export it again") from error
