"""Masks: the shortcut on patches equals plain interpolation of all classes."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from rgbd_perception.inference.masks import upsample_masks
from rgbd_perception.inference.postprocess import classify, compare_with_classes

SIZES = st.integers(1, 6)


@given(SIZES, SIZES, st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1), st.data())
def test_equals_interpolating_everything(
    height: int, width: int, stride: int, classes: int, seed: int, data: st.DataObject
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(height, width, classes, generator=generator)
    log_probability = torch.log_softmax(logits, dim=-1)
    shape = (
        data.draw(st.integers((height - 1) * stride + 1, height * stride)),
        data.draw(st.integers((width - 1) * stride + 1, width * stride)),
    )
    cells = log_probability.numpy()
    ids, confidence = upsample_masks(cells, cells.argmax(axis=2).astype(np.uint16), stride, shape)
    fine = F.interpolate(
        log_probability.permute(2, 0, 1)[None],
        size=(height * stride, width * stride),
        mode="bilinear",
        align_corners=False,
    )[0, :, : shape[0], : shape[1]]
    best, wanted = fine.max(dim=0)
    assert ids.shape == confidence.shape == shape
    assert ids.dtype == np.uint16 and confidence.dtype == np.float32
    np.testing.assert_allclose(confidence, best.exp().numpy(), atol=1e-5)
    chosen = fine.gather(0, torch.from_numpy(ids.astype(np.int64))[None])[0]
    torch.testing.assert_close(chosen, best, atol=1e-5, rtol=0)  # another class only where two are equal
    assert (ids == wanted.numpy()).mean() > 0.9


def test_scores_of_half_precision_give_the_same_masks() -> None:
    random = torch.Generator().manual_seed(4)
    smooth = F.interpolate(torch.randn(1, 40, 6, 8, generator=random), scale_factor=5, mode="bicubic")
    wide = torch.log_softmax(8 * smooth[0].permute(1, 2, 0), dim=-1).numpy()
    labels, shape = wide.argmax(axis=2).astype(np.uint16), (120, 160)
    ids, confidence = upsample_masks(wide, labels, 4, shape)
    found, other = upsample_masks(wide.astype(np.float16), labels, 4, shape)
    assert (found == ids).mean() > 0.999
    np.testing.assert_allclose(other, confidence, atol=1e-3)


def test_a_class_that_wins_only_between_cells() -> None:
    """The third class is second at both cells, and first where the winners have changed places."""
    probability = np.array([[[0.6, 0.05, 0.35], [0.05, 0.6, 0.35]]], np.float32)
    labels = probability.argmax(axis=2).astype(np.uint16)
    ids, confidence = upsample_masks(np.log(probability), labels, 8, (8, 16))
    assert ids[0].tolist() == [0] * 6 + [2] * 4 + [1] * 6
    np.testing.assert_allclose(confidence[0, 6:10], 0.35, rtol=1e-5)


def test_comparison_with_classes() -> None:
    """Lengths of embeddings do not matter; confidence is the softmax of temperature * cosine."""
    classes = torch.eye(3, 4)
    embedding = torch.tensor([[5.0, 0, 0, 0], [0, 0.1, 0.1, 0], [0, 0, 0, 2.0]]).T.reshape(1, 4, 1, 3)
    output = compare_with_classes(embedding, 2.0 * classes)
    ids, confidence = classify(output.log_probability)
    assert ids[0, 0] == 0
    np.testing.assert_allclose(confidence[0, 0], np.exp(2) / (np.exp(2) + 2), rtol=1e-5)
    tie = np.exp(2 / 2**0.5)
    np.testing.assert_allclose(confidence[0, 1], tie / (2 * tie + 1), rtol=1e-5)
    np.testing.assert_allclose(confidence[0, 2], 1 / 3, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(output.embedding.astype(np.float32), axis=-1), 1, atol=1e-3)


def test_a_zero_embedding_is_no_nan() -> None:
    output = compare_with_classes(torch.zeros(1, 4, 2, 2), torch.eye(3, 4))
    assert torch.isfinite(output.log_probability).all()
    assert not output.embedding.any()
