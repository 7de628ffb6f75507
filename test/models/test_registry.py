"""The table of networks: complete, light, and clear about what it does not know."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.models import create_model, list_models, registry


@pytest.mark.parametrize("family", registry._FAMILIES, ids=lambda family: family.module)
def test_a_family_names_what_its_module_configures(family: registry._Family) -> None:
    module = import_module(f"rgbd_perception.models.{family.module}")
    assert set(getattr(module, family.configs)) == set(family.names)
    assert isinstance(getattr(module, family.network), type)


def test_names_are_given_once() -> None:
    assert len(set(list_models())) == len(list_models())


def test_the_names_cost_no_torch() -> None:
    code = "import sys, rgbd_perception.models as m; m.list_models(); print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_unknown_names_and_settings_are_named() -> None:
    with pytest.raises(UserError, match="dveformer_reducedres"):
        create_model("dveformer")
    with pytest.raises(UserError, match=r"no setting classes: expected some of .*num_classes"):
        create_model("emsaformer_semantic_mlp", classes=3)
