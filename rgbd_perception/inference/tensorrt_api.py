"""TensorRT's Python modules behind one face: all that differs between 8.6, 10.x, 11.x and TensorRT for RTX.

``tensorrt`` comes with JetPack and with NVIDIA's packages for servers, ``tensorrt_rtx`` (some wheels call it
``tensorrt_rtx_bindings``) from PyPI. The second parses ONNX and builds engines without any GPU; running one
takes a GPU with either.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from rgbd_perception.errors import UserError

MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
"""In the order of preference: the full library times its kernels on the device."""

INSTALL_HINT = (
    "on a Jetson install the package python3-libnvinfer of your JetPack, on a server NVIDIA's tensorrt, "
    "on a PC with an RTX card: pip install tensorrt-rtx-cu13-libs tensorrt-rtx-cu13-bindings"
)

_DTYPES = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
}
"""By the names of trt.DataType. ``trt.nptype`` of 8.6 fails with numpy 1.24 and newer."""

log = logging.getLogger("rgbd_perception.tensorrt")


class TensorSpec(NamedTuple):
    """An input or output of an engine."""

    name: str
    is_input: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Size of a dense tensor."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class PhaseListener(Protocol):
    """Hears what a build is doing; called from threads of TensorRT."""

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of ``steps`` steps begins, inside a step of ``parent`` if that is given."""

    def step_complete(self, name: str, step: int) -> bool:
        """Step ``step`` (0-based) of phase ``name`` is done. False ends the build without an engine."""

    def phase_finish(self, name: str) -> None:
        """The phase is over, perhaps before its last step."""


def find_tensorrt(*, without_gpu: bool = False) -> TensorRt:
    """The TensorRT of this machine; ``without_gpu``: one that builds for GPUs that are not here.

    Raises UserError naming what to install.
    """
    refusals = []
    for name in MODULES:
        try:
            module = _load(name)
        except (
            ImportError,
            OSError,
            AttributeError,
        ) as error:  # NVIDIA's libraries are missing or do not fit
            if not isinstance(error, ModuleNotFoundError):
                refusals.append(f"{name}: {' '.join(str(error).split())}")
            continue
        if not without_gpu or module.targets:
            return module
    found = f" ({'; '.join(refusals)})" if refusals else ""
    if without_gpu:
        raise UserError(
            f"building for a GPU that is not in this machine takes TensorRT for RTX{found}: "
            "pip install tensorrt-rtx-cu13-libs tensorrt-rtx-cu13-bindings"
        )
    raise UserError(f"TensorRT is not installed{found}: {INSTALL_HINT}")


@functools.cache
def _load(name: str) -> TensorRt:
    # Kept for good: TensorRT goes on using the first logger that it was given.
    return TensorRt(importlib.import_module(name))


class TensorRt:
    """One of NVIDIA's modules.

    flavour  "tensorrt" or "tensorrt_rtx"
    version  of the library, such as "10.3.0"
    """

    def __init__(self, module: ModuleType | Any) -> None:
        self._trt: Any = module
        self.version: str = module.__version__
        self.flavour = "tensorrt_rtx" if hasattr(module, "ComputeCapability") else "tensorrt"
        self._log = _Log(self._trt)

    def __str__(self) -> str:
        return f"{'TensorRT for RTX' if self.is_rtx else 'TensorRT'} {self.version}"

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT for RTX."""
        return self.flavour == "tensorrt_rtx"

    @property
    def is_strongly_typed(self) -> bool:
        """Whether the types in the graph are binding (10.0 and newer), not a hint."""
        return hasattr(self._trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")

    @property
    def targets(self) -> tuple[str, ...]:
        """Compute capabilities, such as "sm86", for which it builds without a GPU; the full library: none."""
        names = getattr(getattr(self._trt, "ComputeCapability", None), "__members__", ())
        return tuple(name.lower() for name in names if name.startswith("SM"))

    @contextlib.contextmanager
    def errors(self) -> Iterator[list[str]]:
        """Within this, errors that TensorRT reports are collected instead of logged as errors."""
        collected: list[str] = []
        before, self._log.listener.collected = self._log.listener.collected, collected
        try:
            yield collected
        finally:
            self._log.listener.collected = before

    # Building

    def builder(self) -> Any:
        """A builder. Raises UserError where this TensorRT needs a GPU and finds none."""
        with self.errors() as errors:
            try:
                return self._trt.Builder(self._log.sink)
            except (TypeError, RuntimeError) as error:  # pybind11: "factory function returned nullptr"
                reason = errors[-1] if errors else str(error)
                raise UserError(f"{self} cannot build here: {reason}") from error

    def network(self, builder: Any) -> Any:
        """An empty network whose types are those of the graph."""
        flags = self._trt.NetworkDefinitionCreationFlag
        kind = flags.STRONGLY_TYPED if self.is_strongly_typed else flags.EXPLICIT_BATCH
        return builder.create_network(1 << int(kind))

    def parser(self, network: Any) -> Any:
        """An ONNX parser that fills ``network``."""
        return self._trt.OnnxParser(network, self._log.sink)

    def config(
        self, builder: Any, network: Any, targets: Sequence[str], listener: PhaseListener | None
    ) -> Any:
        """How ``network`` is to be built. ``targets``: for these GPUs, by the names of ``targets``.

        The monitor of the progress lives as long as the result.
        """
        config = builder.create_builder_config()
        if targets:
            config.num_compute_capabilities = len(targets)
            for index, target in enumerate(targets):
                config.set_compute_capability(self._trt.ComputeCapability.__members__[target.upper()], index)
        if not self.is_strongly_typed:
            self._pin_types(network, config)
        if listener is not None and hasattr(self._trt, "IProgressMonitor"):
            config.progress_monitor = _monitor(self._trt, listener)
        return config

    def _pin_types(self, network: Any, config: Any) -> None:
        """TensorRT 8.6: let layers that the graph has in fp16 run in fp16, and only those."""
        half, single = self._trt.DataType.HALF, self._trt.DataType.FLOAT
        layers = [network.get_layer(index) for index in range(network.num_layers)]
        types = {index: layer.get_output(0).dtype for index, layer in enumerate(layers) if layer.num_outputs}
        if half not in types.values():
            return
        config.set_flag(self._trt.BuilderFlag.FP16)
        config.set_flag(self._trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
        for index, dtype in types.items():
            if dtype in (half, single) and layers[index].type != self._trt.LayerType.CONSTANT:
                layers[index].precision = dtype

    # Running

    def deserialize(self, data: bytes | memoryview) -> Any:
        """An engine from its bytes. Raises UserError with TensorRT's reason where it refuses them."""
        with self.errors() as errors:
            engine = self._runtime.deserialize_cuda_engine(data)
        if engine is None:
            reason = errors[-1] if errors else "no reason given"
            raise UserError(f"{self} cannot use the engine ({reason}): build it again on this machine")
        return engine

    def tensors(self, engine: Any) -> tuple[TensorSpec, ...]:
        """Inputs and outputs of ``engine``, in its order. Raises UserError for a type that numpy lacks."""
        specs = []
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            kind = engine.get_tensor_dtype(name).name
            if kind not in _DTYPES:
                raise UserError(
                    f"the tensor {name} of the engine is of type {kind}, expected {', '.join(_DTYPES)}"
                )
            is_input = engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT
            shape = tuple(engine.get_tensor_shape(name))
            specs.append(TensorSpec(name, is_input, shape, np.dtype(_DTYPES[kind])))
        return tuple(specs)

    @functools.cached_property
    def _runtime(self) -> Any:
        with self.errors() as errors:
            try:
                return self._trt.Runtime(self._log.sink)
            except (TypeError, RuntimeError) as error:
                raise UserError(f"{self} cannot run here: {errors[-1] if errors else error}") from error


class _LogListener:
    """Takes TensorRT's messages; ``collected``: where errors go instead of the log, if anywhere."""

    def __init__(self, levels: dict[Any, int]) -> None:
        self.collected: list[str] | None = None
        self._levels = levels

    def __call__(self, severity: Any, message: str) -> None:
        level = self._levels.get(severity, logging.DEBUG)
        if level >= logging.ERROR and self.collected is not None:
            self.collected.append(message)
            level = logging.DEBUG
        log.log(level, "%s", message)


class _Log:
    """The logger object that TensorRT is given (``sink``), and who hears it."""

    def __init__(self, trt: Any) -> None:
        severity = trt.ILogger.Severity
        self.listener = _LogListener(
            {
                severity.INTERNAL_ERROR: logging.ERROR,
                severity.ERROR: logging.ERROR,
                severity.WARNING: logging.WARNING,
                severity.INFO: logging.INFO,
            }
        )
        listener = self.listener

        class Sink(trt.ILogger):
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                listener(severity, message)

        self.sink = Sink()


def _monitor(trt: Any, listener: PhaseListener) -> Any:
    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            listener.phase_start(name, parent, steps)

        def step_complete(self, name: str, step: int) -> bool:
            return listener.step_complete(name, step)

        def phase_finish(self, name: str) -> None:
            listener.phase_finish(name)

    return Monitor()
