"""Networks by name, and weights into networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rgbd_perception.errors import UserError
from rgbd_perception.models import create_model, load_checkpoint
from rgbd_perception.models.network import Network


@pytest.fixture
def model() -> Network:
    return create_model("rgbd_mini")


def changed(model: Network) -> dict[str, Tensor]:
    return {name: torch.zeros_like(value) for name, value in model.state_dict().items()}


def test_overrides_reach_the_network() -> None:
    model = create_model("rgbd_mini", embedding_dim=512).eval()
    assert model(torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)).embedding.shape[1] == 512


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(("rgbd_maxi", {}), "rgbd_mini"), (("rgbd_mini", {"width": 3}), "embedding_dim")],
)
def test_errors_say_what_there_is(arguments: tuple[str, dict[str, int]], part: str) -> None:
    with pytest.raises(UserError, match=part):
        create_model(arguments[0], **arguments[1])


@pytest.mark.parametrize("wrapped", [False, True])
def test_file_with_traces_of_compilation(tmp_path: Path, model: Network, wrapped: bool) -> None:
    state = {name.replace("encoder.", "encoder._orig_mod."): v for name, v in changed(model).items()}
    torch.save({"state_dict": state, "epoch": 3} if wrapped else state, tmp_path / "x.pth")
    report = load_checkpoint(model, tmp_path / "x.pth")
    assert (report.missing, report.unexpected, report.reshaped, report.mismatched) == ((), (), (), ())
    assert report.loaded == len(model.state_dict())
    assert not any(value.any() for value in model.state_dict().values())


@pytest.mark.parametrize("container", ["segmenter", "model_state_dict"])
def test_only_the_first_prefix_of_parallel_training_is_a_trace(tmp_path: Path, container: str) -> None:
    with torch.device("meta"):
        published = create_model("diffpixelformer_mit_b0").state_dict()
    state = {
        f"module.{name}": torch.zeros(value.shape, dtype=value.dtype) for name, value in published.items()
    }
    torch.save({container: state, "best_val": 0.5}, tmp_path / "x.pth.tar")
    model = create_model("diffpixelformer_mit_b0")
    report = load_checkpoint(model, tmp_path / "x.pth.tar")
    assert (report.missing, report.unexpected, report.mismatched) == ((), (), ())
    assert not model.encoder.block1[0].attn.q.module.weight.any()


def test_report_of_what_does_not_fit(model: Network) -> None:
    state = changed(model)
    head = "decoders.dense_visual_embedding_decoder._task_head.conv"
    state["nonsense"] = torch.zeros(1)
    state[f"{head}.weight"] = state[f"{head}.weight"].flatten(1)
    state[f"{head}.bias"] = torch.zeros(7)
    del state["context_module.final_conv.conv.weight"]
    report = load_checkpoint(model, state)
    assert report.unexpected == ("nonsense",)
    assert report.reshaped == (f"{head}.weight",)
    assert report.mismatched == (f"{head}.bias",)
    assert report.missing == ("context_module.final_conv.conv.weight",)
    assert not model.state_dict()[f"{head}.weight"].any()
    with pytest.raises(UserError, match="1 tensors missing, 1 of another size"):
        report.require_complete()


def test_unreadable_files(tmp_path: Path, model: Network) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load_checkpoint(model, tmp_path / "absent.pth")
    for name in ("junk.pth", "junk.safetensors"):
        (tmp_path / name).write_bytes(b"\x80\x02 this is no checkpoint")
        with pytest.raises(UserError, match="cannot read"):
            load_checkpoint(model, tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError, match="dictionary of tensors"):
        load_checkpoint(model, tmp_path / "list.pth")


def test_a_file_cannot_run_code(tmp_path: Path, model: Network) -> None:
    torch.save({"state_dict": {"x": Path("/")}}, tmp_path / "code.pth")
    with pytest.raises(UserError, match="cannot read"):
        load_checkpoint(model, tmp_path / "code.pth")
