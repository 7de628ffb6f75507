"""Checkpoints with the published names and shapes, which this project did not make, fit their networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rgbd_perception.errors import UserError
from rgbd_perception.models.conform import conform
from test.models.golden import golden_folder, manifest

CASES = [
    ("dveformer_fullres", "dveformer", "dveformer_fullres"),
    ("emsaformer_semantic_mlp", "dveformer", "emsaformer_semantic_mlp"),
    ("emsaformer_semantic_emsanet", "dveformer", "emsaformer_multitask_emsanet"),
    ("emsaformer_multitask_emsanet", "dveformer", "emsaformer_multitask_emsanet"),
    ("geminifusion_mit_b3", "", "geminifusion_mit_b3_nyu40"),
    ("geminifusion_deliver_mit_b2", "", "geminifusion_deliver_mit_b2_rgbd"),
    ("diffpixelformer_mit_b1", "", "diffpixelformer_mit_b1_nyu40"),
    ("diffpixelformer_swin_tiny", "", "diffpixelformer_swin_tiny_nyu40"),
    ("tokenfusion_mit_b3", "", "tokenfusion_mit_b3_nyu40"),
]
"""Network, folder of the golden values, manifest. The semantic network takes the file for all tasks, too."""


def published(folder: Path, name: str) -> dict[str, Tensor]:
    """Zeros of the published names, shapes and types; they take no memory."""
    return {
        entry["name"]: torch.zeros((), dtype=getattr(torch, entry["dtype"])).expand(entry["shape"])
        for entry in manifest(folder, name)["tensors"]
    }


@pytest.mark.parametrize(("name", "family", "file"), CASES)
def test_published_names_and_shapes_fit(shared_data: Path, name: str, family: str, file: str) -> None:
    entries = published(golden_folder(shared_data, family), file)
    conformed = conform(name, {f"module.{key}": tensor for key, tensor in entries.items()})
    assert conformed.misfits == {}
    assert conformed.state.keys() == conformed.own.keys()


def test_what_is_not_there_is_named() -> None:
    conformed = conform("tokenfusion_mit_b2", {"alpha": torch.ones(2), "beta": torch.ones(())})
    assert conformed.classes is None and "alpha" not in conformed.misfits
    assert conformed.misfits["beta"] == "not in the network; the file has a single number"
    assert len(conformed.misfits) == len(conformed.own)  # all but alpha, and beta


def test_classes_that_cannot_be_had() -> None:
    entries = {"decoder.linear_pred.weight": torch.ones(37, 256, 1, 1)}
    with pytest.raises(UserError, match="expected 37 classes, as the file has, got --classes 20"):
        conform("tokenfusion_mit_b2", entries, classes=20)
