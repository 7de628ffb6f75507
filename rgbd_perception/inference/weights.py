"""Weight files of this project: one safetensors file that holds everything inference needs.

Tensors: the network's state under its own names, and optionally ``class_embeddings`` (C, D), the text
embeddings of the label names, and ``classifier`` (C, D), rows whose products with unit embeddings are class
logits (a linear probe, visual means): with either, masks need no text encoder, and a classifier goes first.
The header holds a WeightsInfo as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.resources import PACKAGE

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
HEADER_KEY = PACKAGE
CLASS_EMBEDDINGS = "class_embeddings"
CLASSIFIER = "classifier"
SUFFIX = ".safetensors"
PACKAGED = ("rgbd_mini",)
"""Models whose weights come with this package."""

UNTRAINED = "untrained"
"""Stands in the model id of a network with random weights, in place of the fingerprint."""

FOLDER = Path(__file__).parent.parent / "models" / "weights"


@dataclass(frozen=True)
class WeightsInfo:
    """What a weight file says about itself.

    model        name for ``create_model``
    settings     fields of the model's configuration that differ from its defaults (depth statistics, ...)
    labels       class names of the masks, in order; empty where the network has no vocabulary of its own
    text_space   of the embeddings; empty for a network without
    temperature  factor from cosine to class logit: raw cosines lie so close together that a softmax is flat
    training     free notes for people: data, time, results
    origin       of weights that are not ours: file, hash, licence, preprocessing (see ``importing``)
    fingerprint  hash of all tensors, filled in by ``save_weights``
    """

    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    text_space: str = ""
    temperature: float = 20.0
    training: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def model_id(self) -> str:
        """Model name and fingerprint: what a prediction was made with."""
        return f"{self.model}-{self.fingerprint}"


@dataclass(frozen=True)
class WeightsFile:
    """A weight file in memory."""

    info: WeightsInfo
    state: dict[str, Tensor]
    class_embeddings: NDArray[np.float32] | None = None
    classifier: NDArray[np.float32] | None = None


def default_path(model: str) -> Path:
    """Where the weights of ``model`` lie, or belong: in this package, else where imported ones are put."""
    return FOLDER / f"{model}{SUFFIX}" if model in PACKAGED else imported_path(model)


def imported_path(model: str) -> Path:
    """Where ``models import`` puts the weights of ``model``: the user's folder for data (XDG)."""
    chosen = os.environ.get("XDG_DATA_HOME", "")
    data = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".local" / "share"
    return data / PACKAGE / "models" / f"{model}{SUFFIX}"


def untrained_note(model_id: str) -> str:
    """What people must know about a network with random weights; empty for any other."""
    return (
        f"{model_id} has random weights, its labels mean nothing"
        if model_id.endswith(f"-{UNTRAINED}")
        else ""
    )


def save_weights(
    path: Path,
    state: Mapping[str, Tensor],
    info: WeightsInfo,
    class_embeddings: NDArray[np.float32] | None = None,
    classifier: NDArray[np.float32] | None = None,
) -> WeightsInfo:
    """Write the file whole or not at all; returns ``info`` with its fingerprint.

    ``class_embeddings`` (C, D) unit rows, one for each of ``info.labels``; ``classifier`` likewise, with the
    scale of logits. Raises UserError where the disk refuses.
    """
    import torch
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    for key, rows in ((CLASS_EMBEDDINGS, class_embeddings), (CLASSIFIER, classifier)):
        if rows is None:
            continue
        if len(rows) != len(info.labels):
            raise ValueError(f"{len(info.labels)} labels, but {len(rows)} {_words(key)}")
        tensors[key] = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
    info = dataclasses.replace(info, fingerprint=_fingerprint(tensors))
    header = json.dumps({"format": FORMAT, **dataclasses.asdict(info)}, ensure_ascii=False)
    data = save(tensors, metadata={HEADER_KEY: header})
    write_whole(path, data, "weights")
    return info


def write_whole(path: Path, data: bytes, what: str) -> None:
    """Write the file ``path`` whole or not at all. Raises UserError where the disk refuses."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise UserError(f"cannot write the {what} {path}: {error.strerror or error}") from error


def read_info(path: Path) -> WeightsInfo:
    """Only the header, quickly and without torch. Raises UserError like ``read_weights``."""
    from safetensors import SafetensorError, safe_open

    check_exists(path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = (file.metadata() or {}).get(HEADER_KEY)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path} is no whole safetensors file ({error}): copy, import or train it again"
        ) from error
    return _parse_header(path, header)


def read_weights(path: Path) -> WeightsFile:
    """Read a weight file. Raises UserError where it is missing, cut, not ours or of another format."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    info = read_info(path)
    try:
        tensors = load_file(str(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path} is no whole safetensors file ({error}): copy, import or train it again"
        ) from error
    embeddings, classifier = (_pop_rows(path, info, tensors, key) for key in (CLASS_EMBEDDINGS, CLASSIFIER))
    return WeightsFile(info, tensors, embeddings, classifier)


def read_class_rows(path: Path) -> dict[str, NDArray[np.float32] | None]:
    """``class_embeddings`` and ``classifier`` of a weights file, None where it has none; without torch.

    Raises UserError like ``read_info``.
    """
    from safetensors import safe_open

    read_info(path)
    with safe_open(str(path), framework="numpy") as file:
        names = set(file.keys())
        return {
            key: np.asarray(file.get_tensor(key), np.float32) if key in names else None
            for key in (CLASS_EMBEDDINGS, CLASSIFIER)
        }


def _pop_rows(
    path: Path, info: WeightsInfo, tensors: dict[str, Tensor], key: str
) -> NDArray[np.float32] | None:
    """Take (C, D) rows, one for each label, out of ``tensors``."""
    tensor = tensors.pop(key, None)
    if tensor is not None and len(tensor) != len(info.labels):
        raise UserError(f"{path} is inconsistent: {len(info.labels)} labels, {len(tensor)} {_words(key)}")
    return None if tensor is None else tensor.float().numpy()


def _words(key: str) -> str:
    return key.replace("_", " ") + (" rows" if key == CLASSIFIER else "")


def check_exists(path: Path) -> None:
    """Raises UserError, with what to do, where there is no file of weights at ``path``."""
    if path.is_file():
        return
    model = path.stem
    if path == FOLDER / path.name:
        advice = f"train it with: rgbd-perception distill config/train/{model}.yaml"
        raise UserError(f"expected the weights of {model} in {path}, found none: {advice}")
    if path == imported_path(model):
        raise UserError(
            f"{model} has no trained weights on this machine (expected {path}): import the authors' file "
            f"with: rgbd-perception models import {model} FILE"
        )
    raise UserError(f"expected a weights file, got {path}, which does not exist")


def _parse_header(path: Path, header: str | None) -> WeightsInfo:
    if header is None:
        raise UserError(f"{path} has no header of {PACKAGE}: expected a file that this project has written")
    try:
        values = json.loads(header)
        found = values.pop("format")
        if found != FORMAT:
            raise UserError(f"{path} has the format {found}, expected {FORMAT}: update {PACKAGE}")
        values["labels"] = tuple(values["labels"])
        return WeightsInfo(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} has a damaged header: {error}") from error


def _fingerprint(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]
