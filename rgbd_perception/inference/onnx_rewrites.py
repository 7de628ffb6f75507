"""Changes to exported graphs that save copies: the same function in forms that run-times know.

Each function changes a model in place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx


class Piece(NamedTuple):
    """Columns ``first`` to ``end`` of a value, under a name of their own."""

    name: str
    first: int
    end: int


def split_linears(model: onnx.ModelProto) -> None:
    """A linear layer whose result is only cut along its last axis becomes one layer for each part.

    Queries, keys and values then are written where they belong at once, not copied out of a wider value.
    """
    from onnx import helper

    graph = _Graph(model)
    replaced: dict[int, list[onnx.NodeProto]] = {}
    gone: set[int] = set()
    for node in model.graph.node:
        layer = graph.linear(node)
        pieces = [] if layer is None else graph.pieces(node.output[0], layer.weight.shape[1])
        if layer is None or not pieces:
            continue
        nodes = []
        for piece in pieces:
            columns = slice(piece.first, piece.end)
            weight = graph.add(f"{piece.name}_weight", layer.weight[:, columns])
            last = piece.name if layer.bias is None else f"{piece.name}_product"
            nodes.append(helper.make_node("MatMul", [layer.x, weight], [last], name=f"{piece.name}_matmul"))
            if layer.bias is not None:
                bias = graph.add(f"{piece.name}_bias", layer.bias[columns])
                nodes.append(helper.make_node("Add", [last, bias], [piece.name], name=f"{piece.name}_add"))
        replaced[id(node)] = nodes
        gone |= {id(user) for user in graph.users[node.output[0]]} | {id(used) for used in layer.nodes}
    kept: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if id(node) in replaced:
            kept += replaced[id(node)]
        elif id(node) not in gone:
            kept.append(node)
    _put(model, kept)


def standard_gelu(model: onnx.ModelProto) -> None:
    """x * (0.5 * (1 + erf)) as 0.5 * (x * (1 + erf)), the order that ONNX Runtime looks for."""
    graph = _Graph(model)
    for node in model.graph.node:
        if node.op_type != "Mul" or len(node.input) != 2:
            continue
        x, inner_name = node.input
        inner = graph.producer.get(inner_name)
        if inner is None or inner.op_type != "Mul" or len(graph.users[inner_name]) != 1:
            continue
        half, shifted = inner.input
        if not graph.is_scalar(half, 0.5) or not graph.is_made_by(shifted, "Add", "Erf"):
            continue
        inner.input[:] = [x, shifted]
        node.input[:] = [inner_name, half]


class _Linear(NamedTuple):
    """A product with a constant matrix, and the nodes of it besides the last one."""

    x: str
    weight: NDArray[np.generic]
    bias: NDArray[np.generic] | None
    nodes: Sequence[onnx.NodeProto]


class _Graph:
    """Who makes and who uses each value of a model, and its constants."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import shape_inference

        self._model = model
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.producer = {name: node for node in model.graph.node for name in node.output}
        self.users: Mapping[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self.users[name].append(node)
        inferred = shape_inference.infer_shapes(model).graph
        self._rank = {
            value.name: len(value.type.tensor_type.shape.dim)
            for value in (*inferred.input, *inferred.value_info)
        }
        self._outputs = {value.name for value in model.graph.output}

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """The value of an initializer."""
        from onnx import numpy_helper

        return numpy_helper.to_array(self._constants[name]) if name in self._constants else None

    def add(self, name: str, values: NDArray[np.generic]) -> str:
        """A new initializer."""
        from onnx import numpy_helper

        self._model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def is_scalar(self, name: str, value: float) -> bool:
        """Whether ``name`` is this constant."""
        found = self.constant(name)
        return found is not None and found.size == 1 and float(found.reshape(())) == value

    def is_made_by(self, name: str, *operators: str) -> bool:
        """Whether the chain of producers of ``name``, by first inputs, begins with ``operators``."""
        for operator in operators:
            node = self.producer.get(name)
            if node is None or node.op_type != operator:
                return False
            name = node.input[0]
        return True

    def linear(self, node: onnx.NodeProto) -> _Linear | None:
        """What ``node`` is the last node of, if that is a linear layer."""
        if node.op_type == "MatMul":
            weight = self.constant(node.input[1])
            return None if weight is None or weight.ndim != 2 else _Linear(node.input[0], weight, None, ())
        if node.op_type != "Add":
            return None
        for product, other in (node.input, reversed(node.input)):
            bias, before = self.constant(other), self.producer.get(product)
            if bias is None or bias.ndim != 1 or before is None or before.op_type != "MatMul":
                continue
            layer = self.linear(before)
            if layer is not None and len(self.users[product]) == 1 and bias.size == layer.weight.shape[1]:
                return _Linear(layer.x, layer.weight, bias, (before,))
        return None

    def pieces(self, name: str, width: int) -> list[Piece]:
        """How all users of a value cut its last axis of ``width``; empty where one of them does not."""
        users = self.users[name]
        if name in self._outputs or name not in self._rank:
            return []
        found: list[Piece] = []
        for user in users:
            cut = self._cut(user, self._rank[name] - 1, width) if user.input[0] == name else []
            if not cut:
                return []
            found += cut
        return found

    def _cut(self, node: onnx.NodeProto, last: int, width: int) -> list[Piece]:
        """What a Split or Slice makes of the axis ``last`` of ``width``; empty for anything else."""
        if node.op_type == "Split":
            (axis,) = [a.i for a in node.attribute if a.name == "axis"] or [0]
            sizes = self.constant(node.input[1]) if len(node.input) > 1 else None
            if axis not in (-1, last):
                return []
            if sizes is None:  # equal parts, the last one smaller where it does not come out even
                part = -(-width // len(node.output))
                sizes = np.minimum(part, width - part * np.arange(len(node.output)))
            ends = np.cumsum(sizes).tolist()
            return [Piece(*part) for part in zip(node.output, [0, *ends[:-1]], ends, strict=True)]
        if node.op_type != "Slice" or len(node.input) < 4:
            return []
        values = [self.constant(name) for name in node.input[1:]]
        if any(value is None or value.size != 1 for value in values):
            return []
        first, end, axis, *step = (int(value.reshape(())) for value in values if value is not None)
        if axis not in (-1, last) or step not in ([], [1]) or first < 0 or end < 0:
            return []
        return [Piece(node.output[0], first, end)]


def _put(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """These nodes in place of all, and only the constants that they use."""
    used = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in model.graph.initializer if tensor.name in used]
    nodes = list(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
