"""Questions to a map: with relations, with embeddings, about a point; and what scores mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, Region, ScoreCalibration, VoxelMap
from rgbd_perception.mapping.confidence import AS_IT_IS, CONFIDENCES, Confidence, score_scale
from rgbd_perception.mapping.scoring import calibration_for
from test.mapping.scenes import (
    DIM,
    NAMES,
    ROOM,
    VOCABULARY,
    Cuboid,
    MadeUpEncoder,
    looking_along,
    observe,
)

CALIBRATION = ScoreCalibration(scale=25.0, offset=0.4)
ENCODER = MadeUpEncoder()
LAMP = NAMES.index("lamp")
SCENE = (
    *ROOM,
    Cuboid((2.12, -0.68, 1.22), (2.42, -0.43, 1.52), LAMP, (0, 0, 250)),
    Cuboid((2.07, 0.52, 1.12), (2.32, 0.77, 1.42), LAMP, (0, 0, 250)),
)
"""The room with a lamp on the table (y < 0) and one on the chair (y > 0)."""


def _map(with_embedding: bool = True) -> VoxelMap:
    voxel_map = VoxelMap(MapConfig(max_voxels=100_000))
    voxel_map.set_vocabulary(VOCABULARY, ENCODER.encode(NAMES))
    for index in range(4):
        pose = looking_along(0.1 * np.sin(index), (0.0, 0.3 * index - 0.5, 1.5))
        voxel_map.integrate(*observe(SCENE, pose, index, with_embedding))
    return voxel_map


@pytest.fixture(scope="module")
def scene() -> VoxelMap:
    return _map()


def _query(voxel_map: VoxelMap, *texts: str, **options: object):
    return voxel_map.query(texts, encoder=ENCODER, calibration=CALIBRATION, **options)


@pytest.mark.parametrize(("anchor", "side"), [("table", -1), ("chair", 1)])
def test_a_relation_chooses_among_like_things(scene, anchor, side):
    (result,) = _query(scene, f"the lamp on the {anchor}")
    assert len(_query(scene, "lamp")[0].answers) == 2
    (lamp,) = result.answers
    assert lamp.label == "lamp"
    assert np.sign(lamp.position[1]) == side
    assert (lamp.relation, lamp.anchor.label) == ("on", anchor)
    assert 0 < lamp.score <= min(lamp.anchor.score, _query(scene, "lamp")[0].answers[0].score)
    assert result.text == f"the lamp on the {anchor}"
    assert result.note == f"read as: [lamp] on [{anchor}]"


def test_relations_and_plain_texts_go_together_and_chains_nest(scene):
    plain, chained, reverse = _query(
        scene, "chair", "lamp on the table near the chair", "table under a lamp", top_k=1
    )
    assert plain.answers[0].relation == ""
    assert plain.answers[0].anchor is None
    assert chained.answers[0].anchor.anchor.label == "chair"
    assert reverse.answers[0].label == "table"


def test_what_is_missing_is_said(scene):
    nothing, no_anchor, unrelated = _query(
        scene, "elephant on the table", "lamp on the elephant", "chair on the lamp"
    )
    assert nothing.message.startswith("no 'elephant': nothing found")
    assert no_anchor.message.startswith("found 2 x 'lamp', but no 'elephant': nothing found")
    assert unrelated.message == "found 1 x 'chair' and 2 x 'lamp', but none is on 'lamp'"
    assert not nothing.answers + no_anchor.answers + unrelated.answers


def test_a_region_holds_for_what_is_looked_for_not_for_its_anchor(scene):
    pose = np.eye(4)
    pose[:3, 3] = (2.25, -0.55, 1.4)
    region = Region(pose, np.array([0.8, 0.8, 0.3]))
    (result,) = _query(scene, "lamp on the table", region=region)
    assert result.answers[0].anchor.position[2] < 1.2
    assert not _query(scene, "lamp on the chair", region=region)[0].answers


def test_a_threshold_holds_for_the_answer_with_its_relation(scene):
    (result,) = _query(scene, "lamp next to the table")
    score = result.answers[0].score
    assert _query(scene, "lamp next to the table", threshold=score - 0.01)[0].answers
    assert not _query(scene, "lamp next to the table", threshold=score + 0.01)[0].answers


def test_half_understood_questions_and_bad_numbers_are_refused(scene):
    with pytest.raises(UserError, match="'on the' in 'lamp on the'"):
        _query(scene, "lamp on the")
    with pytest.raises(UserError, match="top_k"):
        _query(scene, "lamp on the table", top_k=0)


def test_embeddings_answer_like_their_texts(scene):
    texts = ("chair", "like table")
    by_text = _query(scene, *texts, negatives=["wall"])
    by_vector = scene.query_embeddings(
        3.0 * ENCODER.encode(texts), ENCODER.encode(["wall"]), text_space="made-up", calibration=CALIBRATION
    )
    assert [result.text for result in by_vector] == ["embedding 1", "embedding 2"]
    for one, other in zip(by_text, by_vector, strict=True):
        assert one.answers
        np.testing.assert_allclose(one.answers[0].score, other.answers[0].score, atol=1e-3)
        assert one.answers[0].position == other.answers[0].position


@pytest.mark.parametrize(
    ("vectors", "negatives", "text_space", "message"),
    [
        (np.ones(DIM), None, "", "shape"),
        (np.empty((0, DIM)), None, "", "at least 1"),
        (np.ones((1, DIM + 1)), None, "", rf"\(n, {DIM}\)"),
        (np.zeros((1, DIM)), None, "", "not zero"),
        (np.full((1, DIM), np.nan), None, "", "finite"),
        (np.ones((1, DIM)), np.ones((1, 3)), "", "negatives"),
        (np.ones((1, DIM)), None, "another", r"made-up.*another"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(scene, vectors, negatives, text_space, message):
    with pytest.raises(UserError, match=message):
        scene.query_embeddings(vectors, negatives, text_space=text_space)


def test_embeddings_need_something_to_compare_with():
    plain = VoxelMap(MapConfig(max_voxels=100_000))
    plain.set_vocabulary(VOCABULARY)
    assert "empty" in plain.query_embeddings(np.ones((1, DIM)))[0].message
    plain.integrate(*observe(SCENE, looking_along(0.0), 0, with_embedding=False))
    with pytest.raises(UserError, match="with texts instead"):
        plain.query_embeddings(np.ones((1, DIM)))


@pytest.mark.parametrize("with_embedding", [True, False])
def test_a_point_knows_its_class_color_and_time(with_embedding):
    answer = _map(with_embedding).at(
        (2.05, 0.65, 0.8), texts=["chair", "table"], encoder=ENCODER, calibration=CALIBRATION
    )
    assert answer.label == "chair"
    assert answer.classes[0][1] > 0.9
    assert sum(share for _, share in answer.classes) <= 1 + 1e-3
    assert answer.color == (200, 0, 0)
    assert answer.last_seen_ns == 3_000_000
    assert answer.voxels > 2
    assert answer.message == ""
    (_, chair), (_, table) = answer.texts
    assert chair > 0.9 > 0.1 > table


def test_a_point_where_nothing_is_says_how_far_the_next_voxel_is(scene):
    answer = scene.at((1.0, 0.65, 0.8), texts=["chair"], encoder=ENCODER)
    assert answer.voxels == 0
    assert answer.classes == answer.texts == ()
    assert answer.nearest_distance == pytest.approx(1.02, abs=0.06)
    assert "nothing is known within 0.10 m: the nearest voxel is" in answer.message
    assert scene.at((1.0, 0.65, 0.8), radius=1.5).label == "chair"
    assert VoxelMap().at((0, 0, 0)).message.endswith("the map is empty")


@pytest.mark.parametrize("position", [(1.0, 2.0), (1.0, 2.0, math.nan), (1.0, 2.0, 3.0, 4.0)])
def test_a_point_must_be_one(scene, position):
    with pytest.raises(UserError, match="three finite numbers"):
        scene.at(position)


def test_a_point_refuses_what_it_cannot_use(scene):
    with pytest.raises(UserError, match="radius"):
        scene.at((0, 0, 0), radius=0)
    with pytest.raises(UserError, match="encoder"):
        scene.at((0, 0, 0), texts=["chair"])
    with pytest.raises(UserError, match=r"made-up.*other"):
        scene.at((2.05, 0.65, 0.8), texts=["chair"], encoder=MadeUpEncoder("other"))


CONFIDENCE = st.builds(Confidence, st.floats(-3, 3), st.floats(0.2, 3), st.floats(0.2, 3))


@given(CONFIDENCE, st.floats(0, 1), st.floats(0, 1))
def test_probabilities_keep_the_order_of_scores(confidence, one, other):
    low, high = sorted((one, other))
    assert 0 <= confidence.probability(low) <= confidence.probability(high) <= 1


@given(CONFIDENCE, st.floats(0.01, 0.99))
def test_probabilities_lead_back_to_their_scores(confidence, raw):
    assert confidence.raw(confidence.probability(raw)) == pytest.approx(raw, abs=1e-4)


@pytest.mark.parametrize("text_space", sorted(CONFIDENCES))
def test_the_default_threshold_is_the_same_in_either_unit(text_space):
    usual = score_scale(text_space, None, None)
    assert usual.least == calibration_for(text_space).threshold
    again = score_scale(text_space, None, usual.shown(usual.least))
    assert again.least == pytest.approx(usual.least, abs=1e-3)


def test_scores_stay_raw_where_nothing_was_fitted():
    assert score_scale("made-up", None, None).confidence == AS_IT_IS
    assert score_scale("all-MiniLM-L6-v2", CALIBRATION, None).confidence == AS_IT_IS
    assert AS_IT_IS.probability(0.3) == pytest.approx(0.3)
