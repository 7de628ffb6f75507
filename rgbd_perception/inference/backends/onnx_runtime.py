"""ONNX Runtime: exported graphs, on a CUDA device where that build of it is installed, else on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.backends.base import BackendRequest, GridOutput, Unavailable
from rgbd_perception.inference.backends.graph_io import class_inputs, encode_depth, graph_facts
from rgbd_perception.inference.denormals import denormals_as_zero
from rgbd_perception.inference.graph_info import GraphInfo, parse_graph_info
from rgbd_perception.inference.graphs import find_graphs
from rgbd_perception.inference.installed import is_installed

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

INSTALL = "pip install onnxruntime"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
HALF = "tensor(float16)"
"""As ONNX Runtime calls the type of an input or output."""
Size = tuple[int, int]


def create(request: BackendRequest) -> OnnxBackend:
    """Open the graphs of a model. Raises Unavailable without ONNX Runtime or without an exported graph."""
    available_providers()
    return OnnxBackend(find_graphs(request), request.threads)


def available_providers() -> list[str]:
    """What the installed ONNX Runtime can compute with. Raises Unavailable where none is installed."""
    if not is_installed("onnxruntime"):
        raise Unavailable(f"onnxruntime is not installed ({INSTALL})")
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def open_session(path: Path, threads: int) -> InferenceSession:
    """On a CUDA device, else on the CPU. Raises UserError for a file that ONNX Runtime cannot read."""
    import onnxruntime

    require_file(path)
    available = available_providers()
    providers = [provider for provider in (CUDA, CPU) if provider in available]
    try:
        with denormals_as_zero():
            return onnxruntime.InferenceSession(str(path), session_options(threads), providers=providers)
    except Exception as error:  # its exceptions have no common base but this
        raise UserError(
            f"{path} cannot be loaded ({in_one_line(error)}): export the network again"
        ) from error


class OnnxBackend:
    """One network in one or more sizes; the session of a size is made when the first such image comes."""

    def __init__(
        self,
        paths: list[Path],
        threads: int = 0,
        name: str = "onnxruntime",
        open_session: Callable[[Path, int], InferenceSession] = open_session,
    ) -> None:
        """``paths``: graphs of the same network for different sizes, at least one. ``open_session``: makes
        a session of a file for so many threads, on the processors that ``name`` stands for.
        """
        self.name = name
        self._threads, self._open_session = threads, open_session
        self._rows: NDArray[np.float32] | None = None
        first = _Session(open_session(paths[0], threads), paths[0])
        self.on_cpu = first.on_cpu
        self.facts = first.facts
        self._paths: dict[Size, Path] = {first.info.size: paths[0]}
        for path in paths[1:]:
            self._paths[size_in_name(path)] = path
        self._sessions: dict[Size, _Session] | None = {first.info.size: first}

    @property
    def sizes(self) -> tuple[Size, ...]:
        """See ``Backend``."""
        return tuple(self._paths)

    def set_classes(self, rows: NDArray[np.float32]) -> None:
        """See ``Backend``."""
        for session in (self._sessions or {}).values():
            session.set_classes(rows)
        self._rows = rows

    def __call__(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32], scores: bool = True
    ) -> GridOutput:
        """See ``Backend``; the scores are there in any case."""
        if self._sessions is None:
            raise RuntimeError("the predictor has been closed")
        size = color.shape[0], color.shape[1]
        if size not in self._sessions:
            path = self._paths[size]
            session = _Session(self._open_session(path, self._threads), path)
            if self._rows is not None:
                session.set_classes(self._rows)
            self._sessions[size] = session
        return self._sessions[size](color, depth)

    def close(self) -> None:
        """See ``Backend``."""
        self._sessions = None


def size_in_name(path: Path) -> Size:
    """(H, W) at the end of the name of a graph's file, as ``graphs`` names them."""
    height, _, width = path.stem.rpartition("-")[2].partition("x")
    return int(height), int(width)


class _Session:
    """One graph. What leaves with a prediction is written into new arrays, all else into the same ones."""

    def __init__(self, session: InferenceSession, path: Path) -> None:
        """``session`` of the file ``path``."""
        self._session = session
        self.on_cpu = CUDA not in session.get_providers()
        metadata = session.get_modelmeta().custom_metadata_map
        self.info: GraphInfo = parse_graph_info(metadata, path)
        self.facts = graph_facts(self.info, metadata, path)
        self._binding = self._session.io_binding()
        self._grid = self.info.grid
        self._classes = len(self.info.labels)
        types = {output.name: output.type for output in self._session.get_outputs()}
        self._score_type = np.float16 if types["log_probability"] == HALF else np.float32
        self._scores = np.empty((*self._grid, self._classes), self._score_type)
        self._kept: list[NDArray[Any]] = []  # bound by address: must live as long as the binding
        if not self.facts.has_embeddings:
            self._bind_output("log_probability", self._scores)

    def set_classes(self, rows: NDArray[np.float32]) -> None:
        """Rows (C, D) times the temperature; the graph has C or more of them."""
        inputs = class_inputs(rows, self.info)
        self._classes = len(rows)
        self._scores = np.empty((*self._grid, len(inputs["class_offset"])), self._score_type)
        for name, array in inputs.items():
            self._bind_input(name, array)
        self._bind_output("log_probability", self._scores)
        self._kept = list(inputs.values())

    def __call__(self, color: NDArray[np.uint8], depth: NDArray[np.float32]) -> GridOutput:
        color = np.ascontiguousarray(color)
        distances = encode_depth(np.ascontiguousarray(depth), self.info)
        labels, confidence = np.empty(self._grid, np.int32), np.empty(self._grid, np.float32)
        embedding: NDArray[np.float16] | None = None
        self._bind_input("color", color)
        self._bind_input("depth", distances)
        self._bind_output("labels", labels)
        self._bind_output("confidence", confidence)
        if self.info.embedding_dim:
            embedding = np.empty((*self._grid, self.info.embedding_dim), np.float16)
            self._bind_output("embedding", embedding)
        with denormals_as_zero():  # the calling thread computes beside those of ONNX Runtime
            self._session.run_with_iobinding(self._binding)
        return GridOutput(self._scores[..., : self._classes], labels, confidence, embedding)

    def _bind_input(self, name: str, array: NDArray[Any]) -> None:
        self._binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def _bind_output(self, name: str, array: NDArray[Any]) -> None:
        self._binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def session_options(threads: int) -> SessionOptions:
    """Of every session: ``threads`` of the processor (0: all), and what makes it a good neighbour."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors: the rest is about its own optimisations
    # Products with denormal numbers, which a sharp softmax leaves, cost a hundred times those with 0. This is
    # for the session's own threads; of the others it switches the one that makes the first session, for good.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # Threads that wait in a loop take the cores from the map and the driver of the camera.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def require_file(path: Path) -> None:
    """Raises UserError where there is none."""
    if not path.is_file():
        raise UserError(f"expected an exported network, got {path}, which does not exist")


def in_one_line(error: Exception) -> str:
    """The beginning of a message that may be long."""
    return " ".join(str(error).split())[:200]
