"""What graphs hand over: the same from both forms, in few bytes from the one whose outputs cross a bus."""

from __future__ import annotations

import torch
from torch import Tensor

from rgbd_perception.inference.frame_graph import FrameGraph
from rgbd_perception.inference.lean_form import LeanFrameGraph
from test.models.tiny import tiny

SIZE, CLASSES = (64, 96), 40


@torch.no_grad()
def outputs(form: type[FrameGraph]) -> tuple[Tensor, ...]:
    """Of images of noise with holes in depth."""
    network, random = tiny("rgbd_mini").eval(), torch.Generator().manual_seed(3)
    color = torch.randint(0, 256, (*SIZE, 3), generator=random, dtype=torch.uint8)
    depth = 5 * torch.rand(SIZE, generator=random)
    depth[depth < 1] = 0
    rows = torch.randn(CLASSES, network.config.embedding_dim, generator=random)
    return form(network, SIZE, "metres", half=False)(color, depth, 10 * rows, torch.zeros(CLASSES))


def test_both_forms_give_the_same() -> None:
    plain, lean = outputs(FrameGraph), outputs(LeanFrameGraph)
    assert (plain[0] == lean[0]).float().mean() > 0.999
    torch.testing.assert_close(plain[1], lean[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(plain[2].float(), lean[2], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(plain[3], lean[3], atol=1e-3, rtol=0)


def test_what_crosses_a_bus_is_small() -> None:
    """Scaled up to a camera of 480x640: at most 2 MB beside the embeddings."""
    labels, confidence, log_probability, embedding = outputs(FrameGraph)
    assert log_probability.dtype == embedding.dtype == torch.float16
    size = sum(tensor.nbytes for tensor in (labels, confidence, log_probability))
    assert size * (480 * 640) / (SIZE[0] * SIZE[1]) < 2e6
    assert outputs(LeanFrameGraph)[2].dtype == torch.float32, "on a processor nothing crosses a bus"
