"""Recipes: every shipped one is read and written, says what its paper says, and names mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from rgbd_perception.errors import UserError
from rgbd_perception.models import create_model
from rgbd_perception.training.optimizers import make_optimizer
from rgbd_perception.training.recipe import Recipe, is_recipe, load_recipe
from rgbd_perception.training.yaml_config import build, write_values

FOLDER = Path(__file__).parents[2] / "config" / "train"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml") if is_recipe(path))


def _recipe(name: str, *overrides: str) -> Recipe:
    return load_recipe(FOLDER / f"{name}.yaml", overrides)


@pytest.mark.parametrize("name", RECIPES)
def test_a_shipped_recipe_makes_its_network_and_survives_writing(name: str) -> None:
    recipe = _recipe(name)
    assert build(Recipe, yaml.safe_load(write_values(recipe)), name) == recipe
    with torch.device("meta"):
        network = create_model(recipe.model, **recipe.settings)
    size = getattr(recipe.augmentation, "size", (32, 32))
    assert all(side % network.config.input_multiple == 0 for side in size)


@pytest.mark.parametrize(
    "family", ["geminifusion", "diffpixelformer", "tokenfusion", "dveformer", "emsaformer"]
)
def test_every_family_has_a_recipe(family: str) -> None:
    assert any(name.startswith(family) for name in RECIPES)


def test_the_rate_of_dveformer_is_for_a_batch_of_eight() -> None:
    assert _recipe("dveformer_reducedres").rate == pytest.approx(2.5e-5)
    assert _recipe("dveformer_reducedres", "batch=8").rate == pytest.approx(5e-5)


def test_groups_of_geminifusion_are_the_authors() -> None:
    recipe = _recipe("geminifusion_mit_b3_nyuv2")
    network = create_model("geminifusion_mit_b0")
    optimizer = make_optimizer(network, recipe)
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    names = dict(network.named_parameters())
    assert id(names["alpha"]) not in found and not names["alpha"].requires_grad
    assert len(found) == len(names) - 1
    for name, parameter in names.items():
        if name == "alpha":
            continue
        decoder = name.startswith("decoder.")
        decay = 0.0 if not decoder and "norm" in name else 0.01
        assert found[id(parameter)] == (pytest.approx(6e-4 if decoder else 6e-5), decay), name


def test_groups_of_deliver_leave_vectors_alone_but_in_the_decoder() -> None:
    recipe = _recipe("geminifusion_deliver_rgbd")
    network = create_model("geminifusion_deliver_mit_b0")
    groups = make_optimizer(network, recipe).param_groups
    found = {id(item): (group["lr"], group["weight_decay"]) for group in groups for item in group["params"]}
    names = dict(network.named_parameters())
    assert found[id(names["alpha"])] == (2e-4, 0.0)
    assert found[id(names["decode_head.linear_pred.bias"])] == (pytest.approx(2e-3), 0.01)
    assert found[id(names["backbone.block1.0.attn.q.module.bias"])] == (2e-4, 0.0)
    assert found[id(names["backbone.block1.0.attn.q.module.weight"])] == (2e-4, 0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optimiser: {}", "did you mean optimizer"),
        ("optimizer: {kind: adamw, rat: 1}", "did you mean rate"),
        ("optimizer: {kind: adam}", "did you mean adamw"),
        ("schedule: {kind: one_cycle, warm_up: 0.2}", "did you mean warmup"),
        ("loss: {kind: nothing}", "expected one of cross_entropy"),
        ("batch: 6\nprocesses: 4", "equal parts"),
        ("model: ''", "model: expected"),
    ],
)
def test_mistakes_are_named_with_what_was_meant(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text if "model" in text else f"model: tokenfusion_mit_b2\n{text}")
    with pytest.raises(UserError, match=said):
        load_recipe(path)


def test_overrides_win_and_their_mistakes_are_named() -> None:
    recipe = _recipe("geminifusion_mit_b3_nyuv2", "batch=4", "optimizer.rate=1e-4", "settings.drop_path=0.1")
    assert (recipe.batch, recipe.optimizer.rate, recipe.settings["drop_path"]) == (4, 1e-4, 0.1)
    for override, said in (
        ("batch", "key=value"),
        ("bach=4", "did you mean batch"),
        ("batch.x=1", "no values"),
    ):
        with pytest.raises(UserError, match=said):
            _recipe("geminifusion_mit_b3_nyuv2", override)
