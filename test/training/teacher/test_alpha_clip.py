"""Alpha-CLIP's tower against the formulas of CLIP written out, its inputs, and weights by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rgbd_perception.errors import UserError
from rgbd_perception.text.open_clip_loader import load_open_clip_module
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.teacher.alpha_clip import (
    BATCH,
    AlphaClipTeacher,
    alpha_clip_spec,
    color_input,
    mask_input,
)
from rgbd_perception.training.teacher.tower import TowerConfig, build_tower, load_tower

TINY = TowerConfig(image_size=28, patch_size=7, width=16, layers=2, heads=2, dim=12)

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module", autouse=True)
def _open_clip() -> None:
    try:
        load_open_clip_module()
    except UserError as error:
        pytest.skip(str(error))


def published_state(seed: int = 0) -> State:
    """Random weights under the names of the published files."""
    generator = torch.Generator().manual_seed(seed)
    width, dim, patches = TINY.width, TINY.dim, (TINY.image_size // TINY.patch_size) ** 2
    shapes = {
        "class_embedding": (width,),
        "positional_embedding": (patches + 1, width),
        "proj": (width, dim),
        "conv1.weight": (width, 3, TINY.patch_size, TINY.patch_size),
        "conv1_alpha.weight": (width, 1, TINY.patch_size, TINY.patch_size),
    }
    for name in ("ln_pre", "ln_post", *(f"transformer.resblocks.{i}.ln_{k}" for i in (0, 1) for k in (1, 2))):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for block in (f"transformer.resblocks.{i}" for i in (0, 1)):
        shapes |= {
            f"{block}.attn.in_proj_weight": (3 * width, width),
            f"{block}.attn.in_proj_bias": (3 * width,),
            f"{block}.attn.out_proj.weight": (width, width),
            f"{block}.attn.out_proj.bias": (width,),
            f"{block}.mlp.c_fc.weight": (4 * width, width),
            f"{block}.mlp.c_fc.bias": (4 * width,),
            f"{block}.mlp.c_proj.weight": (width, 4 * width),
            f"{block}.mlp.c_proj.bias": (width,),
        }
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def embed(state: State, color: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """CLIP's image tower with the mask's patches added to those of the colors, one formula a line."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (TINY.width,), state[f"{name}.weight"], state[f"{name}.bias"])

    x = F.conv2d(color, state["conv1.weight"], stride=TINY.patch_size)
    x = x + F.conv2d(mask, state["conv1_alpha.weight"], stride=TINY.patch_size)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat((state["class_embedding"].expand(len(x), 1, -1), x), dim=1) + state["positional_embedding"]
    x = norm(x, "ln_pre")
    for block in (f"transformer.resblocks.{i}" for i in range(TINY.layers)):
        y = norm(x, f"{block}.ln_1") @ state[f"{block}.attn.in_proj_weight"].T
        q, k, v = (y + state[f"{block}.attn.in_proj_bias"]).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (TINY.heads, -1)).transpose(1, 2) for part in (q, k, v))
        y = ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + y @ state[f"{block}.attn.out_proj.weight"].T + state[f"{block}.attn.out_proj.bias"]
        y = norm(x, f"{block}.ln_2") @ state[f"{block}.mlp.c_fc.weight"].T + state[f"{block}.mlp.c_fc.bias"]
        y = y * torch.sigmoid(1.702 * y)
        x = x + y @ state[f"{block}.mlp.c_proj.weight"].T + state[f"{block}.mlp.c_proj.bias"]
    return norm(x[:, 0], "ln_post") @ state["proj"]


def tiny_tower(state: State) -> torch.nn.Module:
    tower = build_tower(TINY)
    load_tower(tower, state)
    return tower


def test_the_tower_is_clip_with_a_second_patch_convolution() -> None:
    state = published_state()
    color, mask = torch.randn(3, 3, 28, 28), torch.randn(3, 1, 28, 28)
    with torch.no_grad():
        found = tiny_tower(state)(torch.cat((color, mask), dim=1))
    torch.testing.assert_close(found, embed(state, color, mask), atol=1e-4, rtol=1e-4)


def test_other_spellings_and_a_whole_clip_are_the_same_tower() -> None:
    state = published_state()
    inputs = torch.randn(2, 4, 28, 28)
    whole = {f"visual.{name}": tensor.half() for name, tensor in state.items()} | {
        "logit_scale": torch.ones(())
    }
    linear = {name.replace("in_proj_", "in_proj."): tensor for name, tensor in state.items()}
    with torch.no_grad():
        wanted = tiny_tower(state)(inputs)
        torch.testing.assert_close(tiny_tower(linear)(inputs), wanted)
        torch.testing.assert_close(tiny_tower(whole)(inputs), wanted, atol=5e-2, rtol=5e-2)


def test_without_the_masks_convolution_masks_have_no_effect() -> None:
    state = published_state()
    del state["conv1_alpha.weight"]
    tower, color = tiny_tower(state), torch.randn(1, 3, 28, 28)
    with torch.no_grad():
        one, other = (tower(torch.cat((color, torch.randn(1, 1, 28, 28)), dim=1)) for _ in range(2))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("proj"), "1 missing .proj"),
        (lambda state: state.update(head=torch.ones(1)), "1 unknown .head"),
        (lambda state: state.update(proj=torch.ones(3, 3)), "1 of another size .proj"),
        (lambda state: state.update({"conv1.weight": torch.ones(16, 4, 7, 7)}), "patch convolutions"),
    ],
)
def test_weights_of_something_else_are_refused(change: object, message: str) -> None:
    state = published_state()
    change(state)
    with pytest.raises(UserError, match=message):
        tiny_tower(state)


def test_a_file_of_something_else_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no such file: download clip_l14@336"):
        alpha_clip_spec(tmp_path / "none.pth")
    path = tmp_path / "tiny.pth"
    torch.save(published_state(), path)
    with pytest.raises(UserError, match="not of this tower"):
        alpha_clip_spec(path)


def test_inputs_are_stretched_to_a_square() -> None:
    color = np.zeros((20, 40, 3), np.uint8)
    color[:, 20:] = 255
    pixels = color_input(color, 28)
    assert pixels.shape == (1, 3, 28, 28)
    black = torch.tensor([-0.48145466 / 0.26862954, -0.4578275 / 0.26130258, -0.40821073 / 0.27577711])
    torch.testing.assert_close(pixels[0, :, 5, 0], black)
    mask = color[None, ..., 0] > 0
    alpha = mask_input(mask, 28)
    assert alpha.unique().tolist() == pytest.approx([-0.5 / 0.26, 0.5 / 0.26])
    assert (alpha[0, 0, :, 14:] > 0).all() and (alpha[0, 0, :, :14] < 0).all()


@pytest.mark.parametrize("count", [0, BATCH - 1, BATCH, BATCH + 2])
def test_a_lesson_is_one_pass_for_every_segment_and_one_for_the_view(count: int) -> None:
    state = published_state()
    rng = np.random.default_rng(count)
    color = rng.integers(0, 256, (21, 33, 3), np.uint8)
    segments = np.zeros((21, 33), np.int32)
    ids = (1 + np.arange(count)) << 16
    for row, value in enumerate(ids):
        segments[2 * row : 2 * row + 2] = value
    view = LabelledView("v", color, None, np.zeros((21, 33), np.int16))
    lesson = AlphaClipTeacher(tiny_tower(state)).teach(view, segments)
    np.testing.assert_array_equal(lesson.ids, ids)
    assert lesson.rows.shape == (count, TINY.dim)
    pixels = color_input(color, 28)
    whole = embed(state, pixels, mask_input(np.ones((1, 21, 33), bool), 28))
    np.testing.assert_allclose(lesson.image, whole[0].numpy(), atol=1e-4)
    for value, row in zip(ids, lesson.rows, strict=True):
        wanted = embed(state, pixels, mask_input(segments[None] == value, 28))
        np.testing.assert_allclose(row, wanted[0].numpy(), atol=1e-4)
