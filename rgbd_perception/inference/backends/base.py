"""The seam between the predictor and what runs a network: images in, scores of the cells out, all numpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.loading_report import LoadingReport


class Unavailable(UserError):
    """Why a backend cannot run this model here; ``auto`` then goes on to the next one."""


class TooManyClasses(UserError):
    """More class names than this backend's form of the network takes; another backend may take them."""


@dataclass(frozen=True)
class BackendRequest:
    """What to run.

    model      a name of ``list_models()``, a weights file, or an exported ONNX file
    untrained  take random weights where none are installed
    threads    CPU threads; 0: as many as the backend likes
    automatic  whether the user left the choice to us: then nothing that takes minutes is begun
    report     what goes on until the backend is ready
    """

    model: str | Path
    untrained: bool = False
    threads: int = 0
    automatic: bool = False
    report: LoadingReport = field(default_factory=LoadingReport)


@dataclass(frozen=True)
class NetworkFacts:
    """What is known about a network besides its tensors, whatever file it came from.

    model_id          name and hash of the weights
    text_space        of the embeddings; empty for a network without
    labels            class names of the masks that it has of its own
    temperature       factor from cosine to class logit
    has_embeddings    whether it takes class rows, or has a classifier
    input_size        (H, W) that images are shrunk to, by an integer factor
    stride            input pixels along one side of a cell
    class_embeddings  (C, D) unit text embeddings of ``labels``, or None
    classifier        (C, D) rows that go before those for ``labels``, or None
    """

    model_id: str
    text_space: str
    labels: tuple[str, ...]
    temperature: float
    has_embeddings: bool
    input_size: tuple[int, int]
    stride: int
    class_embeddings: NDArray[np.float32] | None = None
    classifier: NDArray[np.float32] | None = None


class GridOutput(NamedTuple):
    """Of the (h, w) cells that cover the image, arrays that nobody else writes to.

    log_probability  (h, w, C) float32 or float16; None where it was not asked for and is not at hand
    labels           (h, w) integers, the most probable classes
    confidence       (h, w) float32 their probabilities; NaN or 0 where the network gave NaN
    embedding        (h, w, D) float16 unit vectors, or None
    """

    log_probability: NDArray[np.floating] | None
    labels: NDArray[np.integer]
    confidence: NDArray[np.float32]
    embedding: NDArray[np.float16] | None


class Backend(Protocol):
    """A network ready to run; one thread at a time may use it."""

    name: str
    facts: NetworkFacts

    @property
    def on_cpu(self) -> bool:
        """Whether the network computes on the cores of the processor, so that it leaves none to spare."""

    @property
    def sizes(self) -> tuple[tuple[int, int], ...] | None:
        """Sizes (H, W) of images that it takes; None: any."""

    def set_classes(self, rows: NDArray[np.float32]) -> None:
        """Compare embeddings with ``rows`` (C, D) from now on: products with unit embeddings are logits.

        Must be called before the first frame of a network with embeddings. Raises TooManyClasses for more
        rows than it can take; then the rows before stay.
        """

    def __call__(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32], scores: bool = True
    ) -> GridOutput:
        """Images (H, W, 3) and (H, W) metres; depth that is not in 0 .. MAX_DEPTH counts as missing.

        ``scores``: whether ``log_probability`` is wanted; it may be valid only until the next call.
        """

    def close(self) -> None:
        """Free what it holds; a call afterwards raises RuntimeError."""
