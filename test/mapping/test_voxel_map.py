"""The map as a whole: frames in, answers and objects out, refusals, vocabularies, several threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction
from rgbd_perception.mapping import MapConfig, Region, ScoreCalibration, VoxelMap
from rgbd_perception.mapping.keys import pack
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary
from test.mapping.scenes import (
    DIM,
    NAMES,
    ROOM,
    TEXT_SPACE,
    VOCABULARY,
    MadeUpEncoder,
    looking_along,
    observe,
    predict,
    render,
)

CALIBRATION = ScoreCalibration(scale=25.0, offset=0.4)
ENCODER = MadeUpEncoder()
EXACT = MapConfig(
    storage="exact", carve=False, weight_limit=0, evidence_limit=0, max_voxels=100_000, min_weight=0
)


def _map(config: MapConfig | None = None, with_embedding: bool = True, frames: int = 3) -> VoxelMap:
    voxel_map = VoxelMap(config or MapConfig(max_voxels=100_000))
    voxel_map.set_vocabulary(VOCABULARY, ENCODER.encode(NAMES) if with_embedding else None)
    for index in range(frames):
        pose = looking_along(0.1 * np.sin(index), (0.0, 0.1 * index, 1.0))
        voxel_map.integrate(*observe(ROOM, pose, index, with_embedding))
    return voxel_map


def _query(voxel_map: VoxelMap, *texts: str, **options: object):
    return voxel_map.query(texts, encoder=ENCODER, calibration=CALIBRATION, **options)


@pytest.mark.parametrize("with_embedding", [True, False])
def test_things_are_found_where_they_are(with_embedding):
    voxel_map = _map(with_embedding=with_embedding)
    chair, like, absent = _query(voxel_map, "chair", "like table", "an elephant")
    assert [answer.label for answer in chair.answers] == ["chair"]
    np.testing.assert_allclose(chair.answers[0].position, [2.1, 0.65, 0.8], atol=0.15)
    assert chair.answers[0].frame_id == "map"
    np.testing.assert_allclose(like.answers[0].position, [2.15, -0.6, 0.9], atol=0.2)
    assert absent.answers == ()
    assert "best score" in absent.message
    assert chair.message == ""


def test_negatives_take_answers_away():
    voxel_map = _map()
    assert _query(voxel_map, "like chair")[0].answers
    assert not _query(voxel_map, "like chair", negatives=["chair"])[0].answers


def test_region_limits_the_search():
    voxel_map = _map()
    pose = looking_along(0.3, (2.15, -0.6, 0.9))
    region = Region(pose, np.array([1.0, 1.0, 1.5]))
    chair, table = _query(voxel_map, "chair", "table", region=region)
    assert "region" in chair.message
    assert table.answers


def test_refusals_of_queries_say_why():
    voxel_map = _map(frames=1)
    with pytest.raises(UserError, match=r"made-up.*other"):
        voxel_map.query(["chair"], encoder=MadeUpEncoder("other"))
    with pytest.raises(UserError, match="at least one"):
        _query(voxel_map)
    with pytest.raises(UserError, match="text 2 is empty"):
        _query(voxel_map, "chair", "  ")
    with pytest.raises(UserError, match="top_k"):
        _query(voxel_map, "chair", top_k=0)
    for threshold in (-0.1, 1.5, np.nan):
        with pytest.raises(UserError, match="threshold must be a probability"):
            _query(voxel_map, "chair", threshold=threshold)
    assert "empty" in _query(VoxelMap(MapConfig(max_voxels=10)), "chair")[0].message


def test_questions_are_answered_while_the_embeddings_of_a_frame_are_summed_up(monkeypatch):
    voxel_map = _map()
    before, during = _query(voxel_map, "chair", "table"), []
    sum_up = voxel_map._layers.pool

    def slowly(*arguments):
        with ThreadPoolExecutor(1) as pool:
            during.append(pool.submit(_query, voxel_map, "chair", "table").result(timeout=60))
        return sum_up(*arguments)

    monkeypatch.setattr(voxel_map._layers, "pool", slowly)
    voxel_map.integrate(*observe(ROOM, looking_along(0.3), 50))
    assert during == [before]


def test_objects_are_the_instances_without_the_wall():
    objects = _map().objects()
    assert [item.label for item in objects] == ["chair", "table"]
    assert all(item.score > 0.8 and item.voxels > 20 for item in objects)
    assert objects[0].last_seen_ns == 2_000_000
    assert objects[0].id != objects[1].id


def test_ids_of_objects_stay_while_the_map_grows():
    voxel_map = _map()
    before = {item.label: item.id for item in voxel_map.objects()}
    for index in range(5):
        voxel_map.integrate(*observe(ROOM, looking_along(0.2, (0.3, 0.1 * index, 1.2)), 10 + index))
    assert {item.label: item.id for item in voxel_map.objects()} == before


def _with_one_bad_number(embedding: np.ndarray) -> np.ndarray:
    """Anywhere in a cell that the next frames look at in any case."""
    spoilt = embedding.copy()
    spoilt[spoilt.shape[0] // 2, spoilt.shape[1] // 2, 7] = np.inf
    return spoilt


def _state(voxel_map: VoxelMap) -> dict[str, np.ndarray]:
    store = voxel_map._layers.store
    return {name: column[: store.rows_used].copy() for name, column in store.columns.items()}


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("pose_missing", lambda f, p: (replace(f, pose=None), p)),
        ("depth_empty", lambda f, p: (replace(f, depth=np.zeros_like(f.depth)), p)),
        ("depth_empty", lambda f, p: (replace(f, depth=np.full_like(f.depth, np.nan)), p)),
        ("prediction_mismatch", lambda f, p: (f, replace(p, stride=8))),
        ("prediction_not_finite", lambda f, p: (f, replace(p, embedding=p.embedding * np.float16(np.nan)))),
        ("prediction_not_finite", lambda f, p: (f, replace(p, embedding=_with_one_bad_number(p.embedding)))),
        ("prediction_not_finite", lambda f, p: (f, replace(p, cell_confidence=p.cell_confidence * np.nan))),
        ("vocabulary_mismatch", lambda f, p: (f, replace(p, vocabulary_id="another"))),
        ("vocabulary_mismatch", lambda f, p: (f, replace(p, cell_labels=p.cell_labels + np.uint16(40)))),
        ("text_space_mismatch", lambda f, p: (f, replace(p, text_space="another"))),
        ("text_space_mismatch", lambda f, p: (f, replace(p, embedding=p.embedding[..., :8]))),
        ("pose_out_of_range", lambda f, p: (f.with_pose(looking_along(0, (5e5, 5e6, 0))), p)),
        ("pose_jump", lambda f, p: (f.with_pose(looking_along(0, (500.0, 0, 0))), p)),
    ],
)
def test_a_bad_frame_is_refused_by_name_and_changes_nothing(reason, spoil):
    voxel_map = _map(MapConfig(max_voxels=100_000, max_linear_speed=1e9))
    voxel_map._gate._config = replace(voxel_map.config, max_linear_speed=1.0)
    before = _state(voxel_map)
    frame, prediction = observe(ROOM, looking_along(0.1, (0.0, 0.2, 1.0)), 3)
    with pytest.raises(FrameDropped) as dropped:
        voxel_map.integrate(*spoil(frame, prediction))
    assert dropped.value.reason == reason
    after = _state(voxel_map)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_jump_that_stays_is_believed():
    voxel_map = VoxelMap(MapConfig(max_voxels=100_000, max_linear_speed=2.0, pose_jump_patience=4))
    voxel_map.integrate(*observe(ROOM, looking_along(0.0), 0))
    outcomes = []
    for index in range(1, 6):
        frame, prediction = observe(ROOM, looking_along(0.0), index * 100)
        try:
            voxel_map.integrate(frame.with_pose(looking_along(0.0, (50.0, 0.0, 1.0))), prediction)
            outcomes.append("in")
        except FrameDropped as dropped:
            outcomes.append(dropped.reason)
    assert outcomes == ["pose_jump"] * 3 + ["in", "in"]


@settings(max_examples=6)
@given(st.permutations(range(5)))
def test_the_order_of_frames_does_not_matter(order):
    frames = [
        observe(ROOM, looking_along(0.1 * index - 0.2, (0.0, 0.1 * index, 1.0)), index) for index in range(5)
    ]
    maps = []
    for sequence in (range(5), order):
        voxel_map = VoxelMap(EXACT)
        voxel_map.set_vocabulary(VOCABULARY)
        for index in sequence:
            voxel_map.integrate(*frames[index])
        rows = voxel_map._layers.store.live_rows()
        rows = rows[np.argsort(voxel_map._layers.store.key[rows])]
        maps.append({name: column[rows] for name, column in voxel_map._layers.store.columns.items()})
    first, second = maps
    assert np.array_equal(first["key"], second["key"])
    assert np.array_equal(first["last_seen"], second["last_seen"])
    np.testing.assert_allclose(first["weight"], second["weight"], rtol=1e-5)
    np.testing.assert_allclose(first["color"], second["color"], atol=1e-2)
    np.testing.assert_allclose(first["feature"], second["feature"], atol=4e-3)
    clear = np.abs(np.diff(np.sort(first["evidence"], axis=1)[:, -2:], axis=1))[:, 0] > 1e-3
    assert np.array_equal(first["class_slot"][clear, 0], second["class_slot"][clear, 0])


AROUND = [
    observe(ROOM, looking_along(angle, (2.2 - 2 * np.cos(angle), -2 * np.sin(angle), 1.0)))
    for angle in np.linspace(-0.9, 0.9, 7)
]
"""From both sides, so that the boxes do not depend on a few cells at a grazing angle."""


@settings(max_examples=8)
@given(st.floats(-3.1, 3.1), st.tuples(st.floats(-20, 20), st.floats(-20, 20), st.floats(-2, 2)))
def test_a_turned_world_gives_turned_answers(yaw, shift):
    world = looking_along(yaw) @ np.linalg.inv(looking_along(0.0))
    world[:3, 3] = shift
    answers = []
    for change in (np.eye(4), world):
        voxel_map = VoxelMap(EXACT)
        voxel_map.set_vocabulary(VOCABULARY, ENCODER.encode(NAMES))
        for frame, prediction in AROUND:
            voxel_map.integrate(frame.with_pose(change @ frame.pose), prediction)
        answers.append([result.answers[0] for result in _query(voxel_map, "chair", "table")])
    for plain, turned in zip(*answers, strict=True):
        expected = world[:3, :3] @ plain.position + world[:3, 3]
        np.testing.assert_allclose(turned.position, expected, atol=0.1)
        np.testing.assert_allclose(np.sort(turned.size[:2]), np.sort(plain.size[:2]), atol=0.16)
        np.testing.assert_allclose(turned.size[2], plain.size[2], atol=0.11)


def test_a_new_vocabulary_recomputes_evidence_from_embeddings():
    voxel_map = _map()
    swapped = Vocabulary(["table", "chair", "wall"], TEXT_SPACE)
    assert voxel_map.set_vocabulary(VOCABULARY) == "unchanged"
    assert voxel_map.set_vocabulary(swapped, ENCODER.encode(swapped.names)) == "recomputed"
    assert sorted({item.label for item in voxel_map.objects()}) == ["chair", "table"]
    assert _query(voxel_map, "chair")[0].answers[0].label == "chair"


def test_a_new_vocabulary_resets_evidence_without_embeddings_and_recomputes_when_they_come():
    voxel_map = _map()
    swapped = Vocabulary(["table", "chair", "wall"], TEXT_SPACE)
    assert voxel_map.set_vocabulary(swapped) == "reset"
    assert voxel_map.objects() == []
    assert np.all(voxel_map.voxels().labels == UNKNOWN_LABEL)
    assert voxel_map.set_vocabulary(swapped, ENCODER.encode(swapped.names)) == "recomputed"
    assert len(voxel_map.objects()) == 2
    with pytest.raises(UserError, match="4 finite class embeddings"):
        voxel_map.set_vocabulary(VOCABULARY, np.zeros((2, DIM), np.float32))


def test_a_full_map_refuses_new_voxels_and_says_so():
    voxel_map = VoxelMap(MapConfig(max_voxels=100, evict=False))
    report = voxel_map.integrate(*observe(ROOM, looking_along(0.0)))
    assert len(voxel_map) == 100
    assert report.voxels_refused == report.voxels_touched - 100


def test_clear_forgets_voxels_but_not_the_vocabulary():
    voxel_map = _map()
    voxel_map.clear()
    assert len(voxel_map) == 0
    voxel_map.integrate(*observe(ROOM, looking_along(0.0)))
    assert {item.label for item in voxel_map.objects()} == {"chair", "table"}


@pytest.mark.parametrize(("option", "value"), [("voxel_size", 0.0), ("max_depth", 0.1), ("gap_voxels", 9)])
def test_impossible_options_are_refused(option, value):
    with pytest.raises(UserError, match=option):
        MapConfig(**{option: value})


def _large_map(voxels: int) -> VoxelMap:
    """A map with many voxels of random embeddings, entered directly."""
    voxel_map = VoxelMap(MapConfig(max_voxels=voxels + 50_000))
    voxel_map.set_vocabulary(VOCABULARY, ENCODER.encode(NAMES))
    voxel_map.integrate(*observe(ROOM, looking_along(0.0)))
    side = int(np.ceil(np.sqrt(voxels)))
    flat = np.arange(voxels)
    rows, _ = voxel_map._layers.store.insert(
        pack(np.stack([flat // side + 1000, flat % side, flat * 0], axis=1))
    )
    columns = voxel_map._layers.store.columns
    columns["weight"][rows] = 512
    columns["feature_at"][rows] = 1
    shared = voxel_map._layers.features.shared
    shared.vector[1], shared.users[1], shared.used = 1, voxels, 2
    return voxel_map


def test_queries_and_frames_get_along():
    voxel_map = _large_map(300_000)
    frames = [observe(ROOM, looking_along(0.05 * index), index) for index in range(5)]
    stop = threading.Event()
    integrated: list[float] = []
    errors: list[BaseException] = []

    def mapping() -> None:
        index = 0
        try:
            while not stop.is_set():
                start = time.perf_counter()
                voxel_map.integrate(*frames[index % 5])
                integrated.append(time.perf_counter() - start)
                index += 1
                time.sleep(max(0.0, 1 / 30 - integrated[-1]))
        except BaseException as error:  # noqa: BLE001 (handed to the test below)
            errors.append(error)

    mapper = threading.Thread(target=mapping)
    mapper.start()
    try:
        for _ in range(3):
            answers = _query(voxel_map, "chair", "table")
            assert [result.answers[0].label for result in answers] == ["chair", "table"]
            assert len(voxel_map.voxels().labels) >= 300_000
            assert {item.label for item in voxel_map.objects()} == {"chair", "table"}
    finally:
        stop.set()
        mapper.join()
    assert not errors
    assert len(integrated) > 5


def test_a_query_holds_the_lock_for_a_block_at_most():
    voxel_map = _large_map(200_000)
    held: list[float] = []

    class TimedLock:
        """The map's lock with a clock: CPU time of the holder, so that a busy machine does not matter."""

        def __init__(self) -> None:
            self._lock = threading.Lock()

        def __enter__(self) -> None:
            self._lock.acquire()
            self._start = time.thread_time()

        def __exit__(self, *exception: object) -> None:
            held.append(time.thread_time() - self._start)
            self._lock.release()

    voxel_map._lock = TimedLock()
    _query(voxel_map, *NAMES, *(f"like {name}" for name in NAMES))
    voxel_map.objects()
    voxel_map.voxels()
    assert len(held) > 100
    assert max(held) < 0.05


def test_predictions_without_labels_are_fused_too():
    frame, labels = render(ROOM, looking_along(0.0))
    unknown = predict(np.full_like(labels, UNKNOWN_LABEL))
    voxel_map = VoxelMap(MapConfig(max_voxels=100_000))
    voxel_map.set_vocabulary(VOCABULARY)
    voxel_map.integrate(frame, replace(unknown, embedding=predict(labels).embedding))
    assert _query(voxel_map, "chair")[0].answers
    assert isinstance(unknown, Prediction)
    assert voxel_map.objects() == []
