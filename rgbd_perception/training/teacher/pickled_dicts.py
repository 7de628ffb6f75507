"""Dictionaries of embeddings in ``.npy`` files, as the authors' tool keeps those of class names.

Such a file is a pickle, which numpy would run whatever is in it. Here only dictionaries, texts, numbers and
arrays are read from it.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import write_whole

Embeddings = dict[str, NDArray[np.float32]]

_ALLOWED = {
    (f"numpy.{core}.{module}", name)
    for core in ("core", "_core")  # numpy 1 and 2
    for module, name in (
        ("multiarray", "_reconstruct"),
        ("multiarray", "scalar"),
        ("numeric", "_frombuffer"),
    )
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it would run {module}.{name}")


def read_embedding_dicts(path: Path) -> dict[str, Embeddings]:
    """Name to prompt to embedding (D,). Raises UserError for a missing, damaged or other file."""
    try:
        with path.open("rb") as file:
            first = npy.read_magic(file) == (1, 0)
            shape, _, dtype = (npy.read_array_header_1_0 if first else npy.read_array_header_2_0)(file)
            if shape != () or dtype != np.dtype(object):
                raise ValueError(f"an array {shape} of {dtype}")
            content = _ArraysOnly(file).load()
        content = content.item() if isinstance(content, np.ndarray) else content
        return {str(name): _embeddings(values) for name, values in content.items()}
    except FileNotFoundError as error:
        raise UserError(f"expected embeddings of class names in {path}, there is no such file") from error
    except (OSError, EOFError, ValueError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise UserError(f"expected a dictionary of embeddings in {path}: {error}") from error


def write_embedding_dicts(path: Path, dicts: Mapping[str, Mapping[str, NDArray[np.float32]]]) -> None:
    """Add ``dicts`` to those in ``path``; those of the same name are replaced. Raises UserError."""
    merged: dict[str, Embeddings] = read_embedding_dicts(path) if path.exists() else {}
    merged |= {name: dict(values) for name, values in dicts.items()}
    buffer = io.BytesIO()
    np.save(buffer, cast(Any, merged), allow_pickle=True)
    write_whole(path, buffer.getvalue(), "embeddings of class names")


def _embeddings(values: Any) -> Embeddings:
    return {str(prompt): np.asarray(row, np.float32).reshape(-1) for prompt, row in values.items()}
