"""A tiny ONNX file of the form that ``export`` writes: same inputs, outputs, metadata; made in an instant."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.parser import parse_model

from rgbd_perception.inference.graph_info import KEY, KEY_ROWS, GraphInfo, format_rows

SIZE, STRIDE, DIM, CLASSES = (32, 48), 8, 8, 5
GRID = SIZE[0] // STRIDE, SIZE[1] // STRIDE

INFO = GraphInfo(
    model="tiny",
    fingerprint="0123456789ab",
    precision="fp32",
    size=SIZE,
    stride=STRIDE,
    depth="metres",
    depth_mean=2.0,
    depth_std=1.0,
    max_depth=20.0,
    labels=("wall", "floor", "sofa"),
    text_space="all-MiniLM-L6-v2",
    temperature=20.0,
    embedding_dim=DIM,
    max_classes=CLASSES,
)


def _graph(height: int, width: int) -> str:
    """The form of an exported network, for images of this size."""
    grid = f"{height // STRIDE},{width // STRIDE}"
    return f"""<ir_version: 8, opset_import: ["" : 17]>
frame (uint8[{height},{width},3] color, float[{height},{width}] depth,
       float[{CLASSES},{DIM}] class_matrix, float[{CLASSES}] class_offset)
  => (int32[{grid}] labels, float[{grid}] confidence,
      float16[{grid},{CLASSES}] log_probability, float16[{grid},{DIM}] embedding)
<int64[1] first = {{0}}, int64[2] ahead = {{0, 1}}>
{{
  rgb = Cast <to = 1> (color)
  planes = Transpose <perm = [2, 0, 1]> (rgb)
  image = Unsqueeze (planes, first)
  range = Unsqueeze (depth, ahead)
  stack = Concat <axis = 1> (image, range)
  features = Conv <kernel_shape = [{STRIDE}, {STRIDE}], strides = [{STRIDE}, {STRIDE}]> (stack, weight)
  cells = Squeeze (features, first)
  rows = Transpose <perm = [1, 2, 0]> (cells)
  length = ReduceL2 <axes = [2], keepdims = 1> (rows)
  unit = Div (rows, length)
  columns = Transpose <perm = [1, 0]> (class_matrix)
  products = MatMul (unit, columns)
  logits = Add (products, class_offset)
  score = LogSoftmax <axis = -1> (logits)
  log_probability = Cast <to = 10> (score)
  best = ArgMax <axis = -1, keepdims = 0> (score)
  labels = Cast <to = 6> (best)
  peak = ReduceMax <axes = [-1], keepdims = 0> (score)
  confidence = Exp (peak)
  embedding = Cast <to = 10> (unit)
}}
"""


def write_frame_file(
    path: Path, seed: int = 0, precision: str = "fp32", size: tuple[int, int] = SIZE
) -> Path:
    """Write the file for images of ``size``, multiples of STRIDE; ``seed`` decides the weights."""
    model = parse_model(_graph(*size))
    weight = np.random.default_rng(seed).standard_normal((DIM, 4, STRIDE, STRIDE)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "weight"))
    info = dataclasses.replace(INFO, precision=precision, fingerprint=f"{seed:012x}", size=size)
    model.metadata_props.add(key=KEY, value=info.to_json())
    rows = np.random.default_rng(7).standard_normal((len(INFO.labels), DIM)).astype(np.float32)
    model.metadata_props.add(key=KEY_ROWS["class_embeddings"], value=format_rows(rows))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path
