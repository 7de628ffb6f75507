"""Stands in for TensorRT where no engine can run: its "engines" are ONNX files, which ONNX Runtime computes.

Only the face is made up: tensors are read from and written to the addresses that the code under test sets, so
a wrong size, type, order or address gives wrong numbers.
"""

from __future__ import annotations

import ctypes
import enum
from typing import Any

import numpy as np
import onnxruntime

__version__ = "10.3.0"

DataType = enum.Enum("DataType", ["FLOAT", "HALF", "INT8", "UINT8", "INT32", "INT64", "BOOL"])
TensorIOMode = enum.Enum("TensorIOMode", ["NONE", "INPUT", "OUTPUT"])
_TYPES = {
    "tensor(float)": (DataType.FLOAT, np.float32),
    "tensor(float16)": (DataType.HALF, np.float16),
    "tensor(uint8)": (DataType.UINT8, np.uint8),
    "tensor(int32)": (DataType.INT32, np.int32),
}


class ILogger:
    """As in TensorRT."""

    Severity = enum.Enum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"])


class NetworkDefinitionCreationFlag(enum.IntEnum):
    """As in TensorRT 10."""

    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class Builder:
    """Builds by copying the file. ``builds`` counts."""

    builds = 0

    def __init__(self, logger: Any) -> None:
        self.file = b""

    def create_network(self, flags: int) -> Builder:
        """Its flags must be those of a strongly typed network."""
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return self

    def create_builder_config(self) -> Any:
        """Nothing can be configured."""
        return object()

    def build_serialized_network(self, network: Builder, config: Any) -> bytes:
        """The file that the parser has read."""
        Builder.builds += 1
        return network.file


class OnnxParser:
    """Reads the file into the "network"."""

    num_errors = 0

    def __init__(self, network: Builder, logger: Any) -> None:
        self._network = network

    def parse_from_file(self, path: str) -> bool:
        """Always understood."""
        with open(path, "rb") as file:  # noqa: PTH123 - TensorRT takes a string
            self._network.file = file.read()
        return True


class Runtime:
    """Takes bytes that ONNX Runtime takes."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, data: bytes) -> Engine | None:
        """None, and a message to the logger, for anything else."""
        try:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            options.log_severity_level = 4
            return Engine(onnxruntime.InferenceSession(bytes(data), options))
        except Exception:  # noqa: BLE001 - ONNX Runtime has many kinds
            self._logger.log(ILogger.Severity.ERROR, "Serialization assertion failed: version mismatch")
            return None


class Engine:
    """An engine, and its own execution context."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        inputs, outputs = session.get_inputs(), session.get_outputs()
        self._inputs = [tensor.name for tensor in inputs]
        self._tensors = {tensor.name: tensor for tensor in (*inputs, *outputs)}
        self._addresses: dict[str, int] = {}
        self.num_io_tensors = len(self._tensors)

    def create_execution_context(self) -> Engine:
        """Itself."""
        return self

    def get_tensor_name(self, index: int) -> str:
        """As in TensorRT."""
        return list(self._tensors)[index]

    def get_tensor_dtype(self, name: str) -> Any:
        """As in TensorRT."""
        return _TYPES[self._tensors[name].type][0]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """-1 for an axis that is not static."""
        return tuple(side if isinstance(side, int) else -1 for side in self._tensors[name].shape)

    def get_tensor_mode(self, name: str) -> Any:
        """As in TensorRT."""
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def set_tensor_address(self, name: str, address: int) -> bool:
        """Remember it."""
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        """Compute what lies at the addresses."""
        names = [name for name in self._tensors if name not in self._inputs]
        values = self._session.run(names, {name: self._memory(name) for name in self._inputs})
        for name, value in zip(names, values, strict=True):
            self._memory(name)[...] = value
        return True

    def _memory(self, name: str) -> np.ndarray[Any, Any]:
        dtype = np.dtype(_TYPES[self._tensors[name].type][1])
        shape = self.get_tensor_shape(name)
        size = int(np.prod(shape)) * dtype.itemsize
        view = (ctypes.c_uint8 * size).from_address(self._addresses[name])
        return np.frombuffer(view, dtype).reshape(shape)
