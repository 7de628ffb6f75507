"""What goes into an exported graph and what it says about itself, in numpy: for backends that run one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.inference.backends.base import NetworkFacts, TooManyClasses
from rgbd_perception.inference.graph_info import KEY_ROWS, GraphInfo, parse_rows
from rgbd_perception.inference.preprocess import MAX_DEPTH
from rgbd_perception.inference.weights import SUFFIX, read_class_rows

NO_CLASS = -1e9
"""Offset of a row that stands for no class: its probability is exactly 0."""


def graph_facts(info: GraphInfo, metadata: Mapping[str, str], path: Path) -> NetworkFacts:
    """The facts of the graph in ``path``. Raises UserError where its metadata is damaged."""
    rows = {name: parse_rows(metadata.get(key, ""), info, path) for name, key in KEY_ROWS.items()}
    weights = path.with_name(f"{info.model}{SUFFIX}")
    if info.embedding_dim and not any(key in metadata for key in KEY_ROWS.values()) and weights.is_file():
        rows = read_class_rows(weights)  # of a graph without weights of its own
    return NetworkFacts(
        model_id=info.model_id,
        text_space=info.text_space,
        labels=info.labels,
        temperature=info.temperature,
        has_embeddings=info.embedding_dim > 0,
        input_size=info.size,
        stride=info.stride,
        class_embeddings=rows["class_embeddings"],
        classifier=rows["classifier"],
    )


def class_inputs(rows: NDArray[np.float32], info: GraphInfo) -> dict[str, NDArray[np.float32]]:
    """``class_matrix`` and ``class_offset`` for rows (C, D): those that are left over stand for no class.

    Raises TooManyClasses where there are more rows than the graph takes.
    """
    count, capacity = len(rows), info.max_classes or len(rows)
    if count > capacity:
        raise TooManyClasses(
            f"this graph of {info.model} takes {capacity} class names, {count} were given: export it with "
            f"--max-classes {count} (for TensorRT: engine build on that file)"
        )
    matrix = np.zeros((capacity, info.embedding_dim), np.float32)
    offset = np.full(capacity, NO_CLASS, np.float32)
    matrix[:count], offset[:count] = rows, 0
    return {"class_matrix": matrix, "class_offset": offset}


def encode_depth(depth: NDArray[np.float32], info: GraphInfo) -> NDArray[Any]:
    """Metres (H, W) as the graph takes them: as they are, or as bytes (H, W, 2) of whole millimetres."""
    if info.depth == "metres":
        return depth
    from rgbd_perception.inference.depth_bytes import millimetre_bytes  # numba: not for who takes metres

    return millimetre_bytes(depth, MAX_DEPTH)
