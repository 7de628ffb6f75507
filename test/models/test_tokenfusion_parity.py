"""TokenFusion against names, shapes and outputs computed with the authors' code, and its rule."""

from __future__ import annotations

from pathlib import Path

import torch

from rgbd_perception.models import create_model
from rgbd_perception.models.mit import MitBlock
from rgbd_perception.models.token_exchange import THRESHOLD, ScorePredictor, exchanging
from rgbd_perception.models.translation import TranslationConfig, TranslationGenerator
from test.models.golden_fusion import Golden, shapes_of


def test_segmentation(shared_data: Path) -> None:
    golden = Golden(shared_data, "tokenfusion_mit_b3_nyu40")
    model = create_model("tokenfusion_mit_b3").eval()
    assert shapes_of(model) == golden.shapes
    golden.fill(model)
    with torch.no_grad():
        output, scores = model.forward_with_scores(*golden.inputs)
        for stage, features in enumerate(model.features(*golden.inputs), start=1):
            for stream, found in zip(("rgb", "depth"), features.chunk(2), strict=True):
                golden.check(f"feat_{stream}_stage{stage}", found)
    golden.check("scores_rgb", scores[:1])
    golden.check("scores_depth", scores[1:])
    golden.check("logits_rgb", output.rgb_logits)
    golden.check("logits_depth", output.depth_logits)
    golden.check("logits_ens", output.logits)


def test_translation(shared_data: Path) -> None:
    golden = Golden(shared_data, "tokenfusion_translation_gen_b2")
    model = TranslationGenerator(TranslationConfig()).eval()
    assert shapes_of(model) == golden.shapes
    golden.fill(model)
    with torch.no_grad():
        output = model(*golden.inputs)
    golden.check("scores_0", output.scores[:1])
    golden.check("scores_1", output.scores[1:])
    golden.check("image_0", output.first)
    golden.check("image_1", output.second)
    golden.check("image_ens_sub", output.ensemble[:, :, ::7, ::5])


def test_the_rule_of_exchange() -> None:
    """Attention's part of a worthless token comes from its twin, weighted by the twin's score."""
    torch.manual_seed(0)
    block = MitBlock(8, heads=2, reduction=1, drop_path=0.0).eval()
    x = torch.randn(2, 1, 4, 8)
    score = torch.tensor([0.5, 0.01, 0.9, 0.015, 0.3, 0.8, 0.01, 0.019]).view(2, 1, 4, 1)
    with torch.no_grad():
        weighted = score * block.attn(block.norm1(x))
        moved = x.clone()
        for stream in (0, 1):
            for token in range(4):
                source = stream if score[stream, 0, token] >= THRESHOLD else 1 - stream
                moved[stream, 0, token] += weighted[source, 0, token]
        wanted = moved + block.mlp(block.norm2(moved))
        torch.testing.assert_close(exchanging(block, x, score), wanted)


def test_epsilon_of_the_scores() -> None:
    """Too small an effect for golden values to see."""
    assert {net[0].eps for net in ScorePredictor(8).score_nets} == {1e-5}
