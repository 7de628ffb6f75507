"""Small changes to exported graphs: what parsers of TensorRT 8.6 and later want to see.

Each function changes a model in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

OPSET = 17
"""The newest that TensorRT 8.6 (JetPack 5) reads."""

WIDE_OPERATORS = frozenset({"LayerNormalization", "Softmax", "ReduceMean", "ReduceL2", "ReduceSum"})
"""Sums over many values and exponentials: in float32 also where the rest is float16."""


def lower_opset(model: onnx.ModelProto) -> None:
    """From opset 18, which the exporter writes, to OPSET.

    Raises RuntimeError for an operator whose meaning changed in between and that is not known here.
    """
    import onnx

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if onnx.defs.get_schema(node.op_type, 18, node.domain).since_version <= OPSET:
            continue
        if node.op_type.startswith("Reduce"):
            _axes_to_attribute(node, constants)
        elif node.op_type == "Split":
            _drop_attribute(node, "num_outputs")
        elif not _same_before(node):
            raise RuntimeError(f"{node.op_type} {node.name} of opset 18 has no form in opset {OPSET}")
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.version = OPSET
    model.ir_version = min(model.ir_version, 8)  # of the time of that opset: older readers refuse newer files


def widen(model: onnx.ModelProto) -> None:
    """Casts around WIDE_OPERATORS with float16 inputs, so that they compute in float32."""
    import onnx
    from onnx import helper

    types = value_types(model)
    half, wide = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    nodes = []
    for node in model.graph.node:
        if node.op_type not in WIDE_OPERATORS or types.get(node.input[0]) != half:
            nodes.append(node)
            continue
        for index, name in enumerate(node.input):
            if types.get(name) == half:
                node.input[index] = f"{name}_wide_of_{node.name}"
                nodes.append(helper.make_node("Cast", [name], [node.input[index]], to=wide))
        narrow, node.output[0] = node.output[0], f"{node.output[0]}_wide"
        nodes += [node, helper.make_node("Cast", [node.output[0]], [narrow], to=half)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def value_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type of each value by name, as far as it is known."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    typed = [*graph.input, *graph.value_info, *graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in typed}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def remove_notes(model: onnx.ModelProto) -> None:
    """Without the exporter's notes about Python code: half of a small file, and paths of its machine."""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]


def _axes_to_attribute(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> None:
    from onnx import helper, numpy_helper

    if len(node.input) < 2 or not node.input[1]:
        return
    axes = numpy_helper.to_array(constants[node.input.pop()]).tolist()
    _drop_attribute(node, "noop_with_empty_axes")
    node.attribute.append(helper.make_attribute("axes", axes))


def _same_before(node: onnx.NodeProto) -> bool:
    """Whether ``node`` of opset 18 reads the same in OPSET: it uses nothing that was new."""
    new: dict[str, Callable[[], bool]] = {
        "Pad": lambda: len(node.input) > 3,
        "Resize": lambda: any(a.name in ("antialias", "axes") and (a.i or a.ints) for a in node.attribute),
    }
    if node.op_type not in new or new[node.op_type]():
        return False
    if node.op_type == "Resize":
        for name in ("antialias", "keep_aspect_ratio_policy"):
            _drop_attribute(node, name)
    return True


def _drop_attribute(node: onnx.NodeProto, name: str) -> None:
    for attribute in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(attribute)
