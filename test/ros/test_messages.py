"""PerceptionFrame, EmbeddingGrid and LabelList: what is packed comes out again, wrong lengths are refused."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message

from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.msg import EmbeddingGrid, PerceptionFrame
from rgbd_perception.ros.messages import (
    from_bytes,
    pack_embeddings,
    pack_frame,
    pack_vocabulary,
    to_bytes,
    to_nanoseconds,
    to_stamp,
    unpack_embeddings,
    unpack_frame,
    unpack_vocabulary,
)
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary


def make_frame(height: int, width: int, seed: int = 0) -> RgbdFrame:
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.2, 5.0, (height, width)).astype(np.float32)
    depth[rng.uniform(size=depth.shape) < 0.1] = np.nan
    color = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    camera = CameraIntrinsics(200.0, 201.0, width / 2, height / 3, width, height)
    return RgbdFrame(color, depth, camera, stamp_ns=1_700_000_000_123_456_789, frame_id="camera_optical")


def make_prediction(height: int, width: int, stride: int, dim: int, seed: int = 0) -> Prediction:
    rng = np.random.default_rng(seed)
    grid = (-(-height // stride), -(-width // stride))
    labels = rng.integers(0, 38, grid).astype(np.uint16)
    labels[0, 0] = UNKNOWN_LABEL
    embedding = rng.normal(size=(*grid, dim))
    embedding /= np.linalg.norm(embedding, axis=-1, keepdims=True)
    return Prediction(
        cell_labels=labels,
        cell_confidence=rng.uniform(size=grid).astype(np.float32),
        stride=stride,
        embedding=embedding.astype(np.float16) if dim else None,
        model_id="model",
        text_space="space" if dim else "",
        vocabulary_id="0123456789ab",
    )


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    stride=st.integers(1, 8),
    dim=st.integers(0, 5),
    seed=st.integers(0, 50),
)
def test_a_frame_survives_the_wire(height: int, width: int, stride: int, dim: int, seed: int) -> None:
    frame, prediction = make_frame(height, width, seed), make_prediction(height, width, stride, dim, seed)
    message = deserialize_message(serialize_message(pack_frame(frame, prediction)), PerceptionFrame)
    got_frame, got = unpack_frame(message)
    assert (got_frame.stamp_ns, got_frame.frame_id) == (frame.stamp_ns, frame.frame_id)
    assert got_frame.intrinsics == frame.intrinsics
    np.testing.assert_array_equal(got_frame.color, frame.color)
    np.testing.assert_allclose(got_frame.depth, np.nan_to_num(frame.depth), atol=0.00051)
    np.testing.assert_array_equal(got.cell_labels, prediction.cell_labels)
    np.testing.assert_allclose(got.cell_confidence, prediction.cell_confidence, atol=0.5 / 255 + 1e-6)
    assert (got.stride, got.model_id, got.vocabulary_id) == (stride, "model", "0123456789ab")
    assert got.text_space == prediction.text_space
    if dim:
        np.testing.assert_array_equal(got.embedding, prediction.embedding)
    else:
        assert got.embedding is None


def test_a_frame_without_color_is_black() -> None:
    message = pack_frame(make_frame(6, 8), make_prediction(6, 8, 4, 3), with_color=False)
    assert len(message.color) == 0
    frame, _ = unpack_frame(message)
    assert frame.color.shape == (6, 8, 3) and not frame.color.any()


def test_embeddings_of_eight_bits_are_scaled() -> None:
    message = EmbeddingGrid(height=1, width=2, dim=2, encoding="int8", scale=0.5)
    message.data = to_bytes(np.array([[[-2, 0], [1, 127]]], dtype=np.int8))
    values = unpack_embeddings(message)
    assert values is not None and values.dtype == np.float32
    assert values.tolist() == [[[-1.0, 0.0], [0.5, 63.5]]]
    message.encoding = "float64"
    with pytest.raises(FrameDropped, match="float64"):
        unpack_embeddings(message)


@pytest.mark.parametrize("field", ["color", "depth", "labels", "confidence"])
def test_a_field_of_the_wrong_length_is_a_drop(field: str) -> None:
    message = pack_frame(make_frame(6, 8), make_prediction(6, 8, 4, 3))
    setattr(message, field, getattr(message, field)[:-1])
    with pytest.raises(FrameDropped) as dropped:
        unpack_frame(message)
    assert dropped.value.reason == "message_invalid"


@pytest.mark.parametrize("change", [{"stride": 0}, {"stride": 3}, {"grid_width": 1}, {"grid_height": 9}])
def test_a_grid_that_does_not_cover_the_image_is_a_drop(change: dict[str, int]) -> None:
    message = pack_frame(make_frame(6, 8), make_prediction(6, 8, 4, 3))
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(FrameDropped) as dropped:
        unpack_frame(message)
    assert dropped.value.reason == "message_invalid"


def test_an_embedding_grid_of_another_size_is_a_drop() -> None:
    message = pack_frame(make_frame(6, 8), make_prediction(6, 8, 4, 3))
    message.embeddings = pack_embeddings(message.header, make_prediction(12, 8, 4, 3))
    with pytest.raises(FrameDropped):
        unpack_frame(message)


def test_an_embedding_grid_of_more_values_than_numbers_reach_is_a_drop() -> None:
    """2**80 is 0 in 64 bits, as many bytes as there are."""
    message = pack_frame(make_frame(6, 8), make_prediction(6, 8, 4, 3))
    message.embeddings.height = message.embeddings.width = 2**28
    message.embeddings.dim, message.embeddings.data = 2**24, array("B")
    with pytest.raises(FrameDropped, match="embeddings: expected"):
        unpack_frame(message)


def test_a_camera_of_zeros_is_a_drop() -> None:
    message = pack_frame(make_frame(6, 8), make_prediction(6, 8, 4, 3))
    message.intrinsics = [0.0, 0.0, 0.0, 0.0]
    with pytest.raises(FrameDropped) as dropped:
        unpack_frame(message)
    assert dropped.value.reason == "camera_info_invalid"


def test_a_vocabulary_survives() -> None:
    vocabulary = Vocabulary(["wall", "coffee table", "Türe"], "all-MiniLM-L6-v2")
    message = pack_vocabulary(vocabulary)
    assert unpack_vocabulary(message) == vocabulary
    assert [round(message.colors[1].g * 255)] == [vocabulary.colors[1, 1]]
    message.vocabulary_id = "another"
    with pytest.raises(FrameDropped, match="another"):
        unpack_vocabulary(message)
    message = pack_vocabulary(vocabulary)
    message.ids = [2, 1, 0]
    with pytest.raises(FrameDropped, match="order of the names"):
        unpack_vocabulary(message)


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_stamps_are_exact(nanoseconds: int) -> None:
    assert to_nanoseconds(to_stamp(nanoseconds)) == nanoseconds


def test_bytes_of_strided_arrays_are_in_row_order() -> None:
    values = np.arange(24, dtype=np.uint16).reshape(4, 6)[::2, ::3]
    assert from_bytes(to_bytes(values), "<u2", (2, 2), "test").tolist() == values.tolist()
    with pytest.raises(FrameDropped, match="test: expected 12 bytes"):
        from_bytes(to_bytes(values), "<u2", (2, 3), "test")
