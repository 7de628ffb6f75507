"""The comparison of two maps: equal ones agree in all, others in what they really share."""

from __future__ import annotations

import pytest

from rgbd_perception.bench import equal
from rgbd_perception.bench.embeddings import CLASS_NAMES, DirectionEmbeddings
from rgbd_perception.bench.equal import Agreement, compare, fixed_texts, scene_agreement
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.mapping.query import Answer
from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES as ROOM_CLASSES
from test.mapping.scenes import ROOM, VOCABULARY, Cuboid, MadeUpEncoder, looking_along, observe

DIM = 16


def _room_map(cuboids):
    voxel_map = VoxelMap(MapConfig(voxel_size=0.1, min_weight=0.0))
    voxel_map.set_vocabulary(VOCABULARY)
    voxel_map.integrate(*observe(cuboids, looking_along(0.0)))
    return voxel_map


def test_a_map_agrees_with_itself():
    voxel_map = _room_map(ROOM)
    agreement = compare(voxel_map, voxel_map, ["chair", "table"], ["chair", "lamp"], MadeUpEncoder())
    assert agreement == Agreement(len(voxel_map), len(voxel_map), 2, 2, 0)
    assert (agreement.voxels_percent, agreement.answers_percent) == (100.0, 100.0)


def test_what_differs_is_counted():
    wall, chair, table = ROOM
    lamp = Cuboid(chair.low, chair.high, 3)
    first, second = _room_map(ROOM), _room_map((wall, lamp, table))
    agreement = compare(
        first, second, ["chair", "table", "lamp", "wall"], ["chair", "table"], MadeUpEncoder()
    )
    assert agreement.answers_equal == 1  # the table; the chair has become a lamp
    keys, scores = first.scores(["chair", "table", "lamp", "wall"], encoder=MadeUpEncoder())
    assert agreement.voxels == keys.size
    assert agreement.voxels - agreement.voxels_equal == pytest.approx(
        (scores.argmax(axis=1) == 0).sum(), abs=3
    )


def _answer(score, x):
    size = (0.3, 0.3, 0.3)
    return Answer(score=score, position=(x, 0.0, 1.0), size=size, yaw=0.0, frame_id="map", voxels=9)


@pytest.mark.parametrize(
    ("exact", "other", "same", "tie"),
    [
        ([(0.9, 0), (0.895, 2)], [(0.9, 0.05)], True, True),
        ([(0.9, 0), (0.895, 2)], [(0.9, 2)], False, True),
        ([(0.9, 0), (0.85, 2)], [(0.9, 2)], False, False),
        ([(0.9, 0)], [(0.9, 2)], False, False),
        ([(0.345, 0)], [], False, True),
        ([(0.4, 0)], [], False, False),
        ([], [(0.345, 0)], False, True),
        ([], [(0.4, 0)], False, False),
        ([], [], True, True),
    ],
)
def test_answers_are_equal_when_they_are_the_same_thing_or_score_the_same(exact, other, same, tie):
    exact, other = ([_answer(*entry) for entry in answers] for answers in (exact, other))
    assert equal._is_same(exact[:1], other) is same
    assert equal._is_tie(exact, other, threshold=0.34) is tie


def test_a_voxel_that_is_missing_is_not_equal():
    _, chair, table = ROOM
    agreement = compare(
        _room_map(ROOM), _room_map((chair, table)), ["chair", "wall"], ["wall"], MadeUpEncoder()
    )
    assert agreement.voxels_equal < agreement.voxels


def test_agreements_add_up_and_nothing_compared_is_no_figure():
    total = Agreement() + Agreement(10, 9, 4, 4) + Agreement(10, 10, 4, 2)
    assert (total.voxels_percent, total.answers_percent) == (95.0, 75.0)
    assert Agreement().voxels_percent is None
    assert Agreement().answers_percent is None


def test_the_texts_are_fixed_and_all_classes_among_the_first():
    texts = fixed_texts()
    assert len(set(texts)) == len(texts) == 100
    assert texts[0] == "wall"
    assert set(ROOM_CLASSES) <= set(texts[:40])


def test_the_stress_set_is_compared():
    agreement = scene_agreement(DirectionEmbeddings(DIM), DIM, 3000)
    assert agreement.voxels >= 3000
    assert agreement.answers == len(CLASS_NAMES)
