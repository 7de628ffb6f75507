"""The predictor on real and on awkward frames, with a network of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.weights import read_weights, save_weights
from rgbd_perception.sources.images_io import read_color, read_depth
from test.inference.conftest import LABELS


@pytest.fixture(scope="module")
def predictor(weights_path: Path) -> Predictor:
    return Predictor(weights_path)


def make_frame(height: int, width: int, seed: int = 0) -> RgbdFrame:
    rng = np.random.default_rng(seed)
    color = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = rng.uniform(0.5, 4, (height, width)).astype(np.float32)
    return RgbdFrame(color, depth, CameraIntrinsics(300, 300, width / 2, height / 2, width, height))


def test_real_frame(predictor: Predictor, shared_data: Path) -> None:
    color = read_color(shared_data / "nicr_sample" / "rgb" / "sample.png")
    depth = read_depth(shared_data / "nicr_sample" / "depth" / "sample.png")
    frame = RgbdFrame(color, depth, CameraIntrinsics(1200, 1200, 719.5, 539.5, 1440, 1080))
    result = predictor(frame)
    assert result.stride == predictor.stride(frame.shape) == 16
    assert result.cell_labels.shape == result.cell_confidence.shape == (68, 90)
    assert result.embedding is not None and result.embedding.shape == (68, 90, 384)
    assert result.embedding.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(result.embedding.astype(np.float32), axis=-1), 1, atol=2e-3)
    assert result.labels is not None and result.confidence is not None
    assert result.labels.shape == result.confidence.shape == (1080, 1440)
    assert result.labels.max() < len(LABELS)
    assert result.confidence.min() > 0 and result.confidence.max() <= 1
    assert (result.labels[8::16, 8::16] == result.cell_labels[:67]).mean() > 0.9
    assert result.vocabulary_id == predictor.vocabulary.id
    assert result.model_id == predictor.model_id
    assert set(result.step_ms) == {"preprocess", "network", "postprocess", "masks"}


@pytest.mark.parametrize("size", [(240, 320), (241, 319), (101, 77), (33, 500), (4, 4), (1, 1)])
def test_any_size(predictor: Predictor, size: tuple[int, int]) -> None:
    result = predictor(make_frame(*size))
    cells = -(-size[0] // result.stride), -(-size[1] // result.stride)
    assert result.cell_labels.shape == cells
    assert result.labels is not None and result.labels.shape == size
    assert result.embedding is not None and np.isfinite(result.embedding).all()


def test_without_masks(predictor: Predictor) -> None:
    frame = make_frame(96, 128)
    grid, full = predictor(frame, masks=False), predictor(frame)
    assert grid.labels is None and grid.confidence is None and "masks" not in grid.step_ms
    np.testing.assert_array_equal(grid.cell_labels, full.cell_labels)


def test_all_kinds_of_missing_depth_are_the_same(predictor: Predictor) -> None:
    frame = make_frame(96, 128)
    results = []
    for missing in (0.0, np.nan, np.inf, -np.inf, -2.0, 65.535):
        depth = frame.depth.copy()
        depth[20:60, 30:90] = missing
        results.append(predictor(RgbdFrame(frame.color, depth, frame.intrinsics), masks=False).embedding)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_no_depth_at_all(predictor: Predictor) -> None:
    frame = make_frame(96, 128)
    result = predictor(RgbdFrame(frame.color, np.zeros_like(frame.depth), frame.intrinsics))
    assert result.embedding is not None and np.isfinite(result.embedding).all()


def test_color_images_may_be_views(predictor: Predictor) -> None:
    frame = make_frame(96, 128)
    flipped = np.ascontiguousarray(frame.color[..., ::-1])[..., ::-1]
    other = predictor(RgbdFrame(flipped, frame.depth, frame.intrinsics), masks=False)
    np.testing.assert_array_equal(other.embedding, predictor(frame, masks=False).embedding)


def test_own_vocabulary(predictor: Predictor) -> None:
    assert predictor.label_names == LABELS
    assert predictor.class_embeddings.shape == (5, 384)
    assert predictor.text_space == predictor.vocabulary.text_space == "all-MiniLM-L6-v2"
    assert predictor.backend == "torch" and predictor.on_cpu == (not torch.cuda.is_available())
    assert predictor.model_id.startswith("rgbd_mini-")


def test_labels_by_text(weights_path: Path, predictor: Predictor) -> None:
    other = Predictor(weights_path, backend="torch", labels=["couch", "fridge"])
    assert other.label_names == ("couch", "fridge")
    np.testing.assert_allclose(np.linalg.norm(other.class_embeddings, axis=1), 1, rtol=1e-5)
    frame = make_frame(64, 96)
    result = other(frame, masks=False)
    assert result.cell_labels.max() <= 1
    assert result.vocabulary_id != predictor.vocabulary.id
    np.testing.assert_array_equal(result.embedding, predictor(frame, masks=False).embedding)


def test_errors(weights_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"auto, .*torch, got 'teleprinter'"):
        Predictor(weights_path, backend="teleprinter")
    with pytest.raises(UserError, match=r"models list. or a .safetensors file, got 'yolo'"):
        Predictor("yolo")
    with pytest.raises(UserError, match="does not exist"):
        Predictor(tmp_path / "absent.safetensors")
    with pytest.raises(UserError, match="more than once"):
        Predictor(weights_path, labels=["chair", "chair"])


def test_a_network_that_gives_nan_is_reported(weights_path: Path, tmp_path: Path) -> None:
    weights = read_weights(weights_path)
    name = next(name for name in weights.state if name.endswith("norm1.weight"))
    weights.state[name][0] = float("nan")
    save_weights(tmp_path / "broken.safetensors", weights.state, weights.info, weights.class_embeddings)
    with pytest.raises(FrameDropped, match=r"rgbd_mini-.* gave NaN") as caught:
        Predictor(tmp_path / "broken.safetensors")(make_frame(64, 96))
    assert caught.value.reason == "prediction_not_finite"


def test_a_closed_predictor_refuses(weights_path: Path) -> None:
    predictor = Predictor(weights_path)
    predictor.close()
    with pytest.raises(RuntimeError, match="closed"):
        predictor(make_frame(32, 32))
