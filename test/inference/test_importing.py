"""Authors' layouts into weight files: whole, renamed, adapted, or refused with a list.

The checkpoints are small ones of the same layouts, written here: backbones with few channels.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rgbd_perception.errors import UserError
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.importing import ImportOptions, MisfitError, import_weights
from rgbd_perception.inference.weights import imported_path, read_weights
from rgbd_perception.models import create_model
from rgbd_perception.models.class_names import class_names
from rgbd_perception.models.dveformer import DVEFORMER_CONFIGS
from rgbd_perception.models.emsaformer import EMSAFORMER_CONFIGS
from rgbd_perception.models.geminifusion import GEMINIFUSION_CONFIGS
from rgbd_perception.models.geminifusion_deliver import GEMINIFUSION_DELIVER_CONFIGS
from test.models.tiny import MIT, SWIN_MULTI

DVE, GEMINI, DELIVER = "dveformer_reducedres", "geminifusion_mit_b3", "geminifusion_deliver_mit_b2"
SEMANTIC, MULTITASK = "emsaformer_semantic_mlp", "emsaformer_multitask_mlp"
DIM = 24


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The published names with few channels, and an empty folder of imported weights."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    sizes = {"backbone": SWIN_MULTI, "branches": (16, 8, 8, 8), "fused": 16}
    dve = replace(DVEFORMER_CONFIGS[DVE], **sizes, embedding_dim=DIM)
    monkeypatch.setitem(DVEFORMER_CONFIGS, DVE, dve)
    for name in (SEMANTIC, MULTITASK):
        monkeypatch.setitem(EMSAFORMER_CONFIGS, name, replace(EMSAFORMER_CONFIGS[name], **sizes))
    two = {"backbone": MIT, "decoder_dim": 16}
    monkeypatch.setitem(GEMINIFUSION_CONFIGS, GEMINI, replace(GEMINIFUSION_CONFIGS[GEMINI], **two))
    deliver = replace(GEMINIFUSION_DELIVER_CONFIGS[DELIVER], **two)
    monkeypatch.setitem(GEMINIFUSION_DELIVER_CONFIGS, DELIVER, deliver)


def tensors(name: str, **settings: Any) -> dict[str, Tensor]:
    """Random values under the names of the network."""
    torch.manual_seed(1)
    own = create_model(name, **settings).state_dict()
    for key, value in own.items():
        if value.is_floating_point():  # variances must not be negative
            value.copy_(torch.rand_like(value) + 0.5 if "running_var" in key else torch.randn_like(value) / 3)
    return own


def compiled(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As torch.compile of encoder, context module and decoders names them."""
    parts = ("encoder", "context_module", "decoders")
    return {
        name.replace(f"{part}.", f"{part}._orig_mod.", 1): value
        for name, value in state.items()
        for part in parts
        if name.startswith(f"{part}.")
    }


def save_archive(content: Any, path: Path, inside: str = "mixed/weights.pth") -> Path:
    """As the authors of DVEFormer and EMSAFormer distribute their files."""
    torch.save(content, path.with_name("weights.pth"))
    with tarfile.open(path, "w:gz") as archive:
        archive.add(path.with_name("weights.pth"), inside)
    return path


def save_segmenter(state: Mapping[str, Tensor], path: Path) -> Path:
    """As GeminiFusion's and TokenFusion's training writes it; the score is a number of numpy."""
    wrapped = {f"module.{name}": value for name, value in state.items()}
    torch.save({"segmenter": wrapped, "epoch_start": 7, "best_val": np.float64(56.8)}, path)
    return path


def make_frame() -> RgbdFrame:
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    depth = rng.uniform(0.5, 4, (96, 128)).astype(np.float32)
    return RgbdFrame(color, depth, CameraIntrinsics(100, 100, 63.5, 47.5, 128, 96))


def test_dveformer_archive_with_linear_probe(tmp_path: Path) -> None:
    state = tensors(DVE)
    content = {"state_dict": compiled(state), "epoch": 3, "logs": {"miou": np.float32(0.5)}}
    source = save_archive(content, tmp_path / "a.pth.tar.gz")
    rows = torch.randn(40, DIM, 1, 1)
    torch.save({"linear_probing_head_state_dict": {"weight": rows}}, tmp_path / "probe.pth")
    options = ImportOptions(linear_probe=tmp_path / "probe.pth", classes=20)
    imported = import_weights(DVE, source, options=options)
    assert imported.path == imported_path(DVE)
    found = read_weights(imported.path)
    assert found.state.keys() == state.keys()
    assert all(torch.equal(found.state[name], state[name]) for name in state)
    assert found.info.labels == class_names(20)
    assert found.classifier is not None
    np.testing.assert_array_equal(found.classifier[12], rows[13].flatten())  # desk
    card = json.loads(imported.card_path.read_text())
    assert card["origin"]["file"] == "a.pth.tar.gz"
    assert card["origin"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert card["origin"]["preprocessing"]["depth_mean"] == 2.84194941272766
    assert card["origin"]["preprocessing"]["depth_verified"] is True
    assert card["text_space"] == "open_clip:ViT-L-14-336"
    assert "research only" in card["origin"]["licence"]


def test_a_linear_probe_gives_the_labels(tmp_path: Path) -> None:
    torch.save({"state_dict": tensors(DVE)}, tmp_path / "a.pth")
    rows = torch.randn(37, DIM)
    torch.save({"linear_probing_head_state_dict": {"weight": rows[:, :, None, None]}}, tmp_path / "probe.pth")
    import_weights(DVE, tmp_path / "a.pth", options=ImportOptions(tmp_path / "probe.pth"))
    predictor = Predictor(DVE)
    result = predictor(make_frame())
    assert result.embedding is not None and predictor.class_embeddings is None
    logits = result.embedding.astype(np.float32) @ rows.numpy().T
    chosen = np.take_along_axis(logits, result.cell_labels[..., None].astype(int), -1)[..., 0]
    assert (logits.max(axis=-1) - chosen).max() < 0.02  # embeddings are rounded to float16


def test_geminifusion_file(tmp_path: Path) -> None:
    state = tensors(GEMINI, num_classes=37)
    dead = {"encoder.score_predictor.0.score_nets.0.0.weight": torch.ones(3)}
    source = save_segmenter({**state, **dead}, tmp_path / "model-best.pth.tar")
    imported = import_weights(GEMINI, source)
    assert imported.info.settings == {"num_classes": 37}
    assert imported.info.labels == class_names(37)
    assert imported.info.origin["ignored"] == list(dead)
    depth = imported.info.origin["preprocessing"]
    assert depth["depth_std"] == 0.255 and depth["depth_verified"] is False
    assert "unverified" in depth["depth_note"]
    predictor = Predictor(GEMINI)
    result = predictor(make_frame())
    assert result.embedding is None and result.text_space == ""
    assert result.cell_labels.shape == (24, 32) and result.labels is not None
    assert predictor.label_names == class_names(37)
    with pytest.raises(UserError, match="fixed list of 37 classes"):
        Predictor(GEMINI, labels=["chair"])


def test_the_scale_of_depth_can_be_chosen(tmp_path: Path) -> None:
    source = save_segmenter(tensors(GEMINI), tmp_path / "x.pth.tar")
    results = []
    for std in (0.255, 5.0):
        options = ImportOptions(settings={"depth_std": std})
        imported = import_weights(GEMINI, source, tmp_path / f"{std}.safetensors", options)
        assert imported.info.origin["preprocessing"]["depth_std"] == std
        results.append(Predictor(imported.path)(make_frame(), masks=False).cell_confidence)
    assert not np.allclose(*results)


@pytest.mark.parametrize("wanted", [37, 20])
def test_fewer_classes_of_a_40_class_file(tmp_path: Path, wanted: int) -> None:
    state = tensors(SEMANTIC)
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    imported = import_weights(SEMANTIC, tmp_path / "a.pth", options=ImportOptions(classes=wanted))
    found = read_weights(imported.path)
    assert found.info.labels == class_names(wanted)
    assert found.info.origin["classes_of_file"] == 40
    assert found.info.settings["depth_mean"] == 2.84194941272766  # the file was trained on NYUv2
    head = "decoders.semantic_decoder._task_head"
    rows = [class_names(40).index(name) for name in class_names(wanted)]
    for name in (f"{head}.conv.weight", f"{head}.conv.bias", f"{head}.upsample_1.conv.weight"):
        assert torch.equal(found.state[name], state[name][rows])


def test_the_semantic_part_of_a_multi_task_file(tmp_path: Path) -> None:
    state = tensors(MULTITASK)
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    imported = import_weights(SEMANTIC, tmp_path / "a.pth")
    found = read_weights(imported.path).state
    name = "decoders.{}semantic_decoder._task_head.conv.weight"
    assert torch.equal(found[name.format("")], state[name.format("panoptic_helper.")])
    assert all("instance" in name or "scene" in name for name in imported.info.origin["ignored"])
    assert imported.info.origin["ignored"]


def test_settings_follow_from_the_file(tmp_path: Path) -> None:
    state = tensors(MULTITASK, num_classes=20, orientation=False, num_scenes=5)
    old = {name.replace("encoder.", "fused_encoders.", 1): value for name, value in state.items()}
    torch.save({"state_dict": old}, tmp_path / "a.pth")
    settings = import_weights(MULTITASK, tmp_path / "a.pth").info.settings
    assert settings["orientation"] is False
    assert (settings["num_classes"], settings["num_scenes"]) == (20, 5)
    assert settings["depth_mean"] == 1.8419888416947686  # ScanNet's


def test_deliver_files_name_their_modalities(tmp_path: Path) -> None:
    three = ("img", "depth", "lidar")
    torch.save(tensors(DELIVER, modalities=three), tmp_path / "three.pth")
    torch.save(tensors(DELIVER, modalities=("img", "depth", "event", "lidar")), tmp_path / "four.pth")
    with pytest.raises(UserError, match="3 modalities: name them"):
        import_weights(DELIVER, tmp_path / "three.pth")
    options = ImportOptions(settings={"modalities": three})
    imported = import_weights(DELIVER, tmp_path / "three.pth", options=options)
    assert imported.info.labels[-1] == "Truck"
    assert len(import_weights(DELIVER, tmp_path / "four.pth").info.settings["modalities"]) == 4
    with pytest.raises(UserError, match="HHA, event or LiDAR"):
        Predictor(DELIVER)


def test_all_that_does_not_fit_is_listed(tmp_path: Path) -> None:
    state = tensors(GEMINI)
    del state["alpha"]
    state["encoder.norm1.ln_0.weight"] = torch.ones(2, 8)  # as many values, another shape
    state["encoder.norm1.ln_1.weight"] = torch.full((16,), torch.nan)
    state["surplus"] = torch.ones(3)
    source = save_segmenter(state, tmp_path / "x.pth.tar")
    with pytest.raises(MisfitError, match="4 tensors do not fit") as caught:
        import_weights(GEMINI, source)
    assert caught.value.misfits == {
        "alpha": "missing; the network has 2",
        "encoder.norm1.ln_0.weight": "expected 16, the file has 2 x 8",
        "encoder.norm1.ln_1.weight": "has values that are not finite",
        "surplus": "not in the network; the file has 3",
    }
    assert not imported_path(GEMINI).parent.exists()


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": tensors(DVE)}, tmp_path / "a.pth")
    with pytest.raises(MisfitError, match="no checkpoint of geminifusion_mit_b3"):
        import_weights(GEMINI, tmp_path / "a.pth")


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    whole = save_archive({"state_dict": tensors(DVE)}, tmp_path / "a.pth.tar.gz").read_bytes()
    for kept in (0, 10, 300, len(whole) // 2, len(whole) - 20):
        (tmp_path / "cut.pth.tar.gz").write_bytes(whole[:kept])
        with pytest.raises(UserError, match=r"cannot read|expected one checkpoint"):
            import_weights(DVE, tmp_path / "cut.pth.tar.gz")
    (tmp_path / "other.tar.gz").write_bytes(gzip.compress(b"no archive"))
    with pytest.raises(UserError, match="cannot read"):
        import_weights(DVE, tmp_path / "other.tar.gz")
    save_archive({}, tmp_path / "b.pth.tar.gz", inside="readme.txt")
    with pytest.raises(UserError, match="expected one checkpoint in the archive"):
        import_weights(DVE, tmp_path / "b.pth.tar.gz")


@pytest.mark.parametrize(
    "content", [b"hello\n", b"<html>not found</html>", b"", b"\x80\x02", b"import torch\n"]
)
def test_files_that_are_no_checkpoint_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        import_weights(DVE, tmp_path / "a.pth")


def test_an_archive_cannot_run_code(tmp_path: Path) -> None:
    source = save_archive({"state_dict": {"x": Path("/")}}, tmp_path / "code.pth.tar.gz")
    with pytest.raises(UserError, match="cannot read"):
        import_weights(DVE, source)


@pytest.mark.parametrize(
    ("name", "options", "target", "part"),
    [
        ("dveformer", ImportOptions(), None, "expected a model of `rgbd-perception models list`"),
        ("rgbd_mini", ImportOptions(), None, "nothing to import"),
        (DVE, ImportOptions(), "x.pth", "expected --out to end with .safetensors"),
        (GEMINI, ImportOptions(classes=12), None, "only 40 can become 37 or 20"),
        (GEMINI, ImportOptions(linear_probe=Path("probe.pth")), None, "leave out --linear-probe"),
        (GEMINI, ImportOptions(settings={"mode": "paper"}), None, "no setting mode"),
    ],
)
def test_options_that_cannot_be(
    tmp_path: Path, name: str, options: ImportOptions, target: str | None, part: str
) -> None:
    source = save_segmenter(tensors(GEMINI), tmp_path / "x.pth.tar")
    with pytest.raises(UserError, match=part):
        import_weights(name, source, None if target is None else tmp_path / target, options)


def test_a_probe_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": tensors(DVE)}, tmp_path / "a.pth")
    torch.save(
        {"linear_probing_head_state_dict": {"weight": torch.ones(40, 7, 1, 1)}}, tmp_path / "probe.pth"
    )
    with pytest.raises(UserError, match="rows of 24 values in the linear probe"):
        import_weights(DVE, tmp_path / "a.pth", options=ImportOptions(tmp_path / "probe.pth"))


def test_without_weights_a_network_refuses_unless_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trained weights on this machine.*models import"):
        Predictor(GEMINI)
    results = [Predictor(name, untrained=True)(make_frame()) for name in (GEMINI, GEMINI, DVE)]
    assert [result.model_id for result in results] == [f"{GEMINI}-untrained"] * 2 + [f"{DVE}-untrained"]
    np.testing.assert_array_equal(results[0].cell_labels, results[1].cell_labels)
    assert results[0].embedding is None and results[2].embedding is not None
    source = save_segmenter(tensors(GEMINI), tmp_path / "x.pth.tar")
    import_weights(GEMINI, source)
    assert not Predictor(GEMINI, untrained=True).model_id.endswith("untrained")
