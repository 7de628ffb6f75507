"""What blocks hold follows every change of the map, and answers found in it are those of all voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rgbd_perception.mapping import MapConfig, Region, ScoreCalibration, VoxelMap
from rgbd_perception.mapping.block_contents import PLAIN, BlockContents
from rgbd_perception.mapping.block_lists import HALVES
from rgbd_perception.mapping.feature_readers import HOT
from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.threads import run_in_turn
from test.mapping.scenes import NAMES, ROOM, VOCABULARY, Cuboid, MadeUpEncoder, looking_along, observe

CALIBRATION = ScoreCalibration(scale=25.0, offset=0.4)
ENCODER = MadeUpEncoder()
EVERYWHERE = Region(np.eye(4), np.full(3, 1e4))
"""A question with a region looks at the voxels themselves."""
TEXTS = (*NAMES, "like chair", "nothing like it")
MOST = 1 << 30


def _empty_map(**options: object) -> VoxelMap:
    voxel_map = VoxelMap(MapConfig(max_voxels=100_000, **options))  # type: ignore[arg-type]
    voxel_map.set_vocabulary(VOCABULARY, ENCODER.encode(NAMES))
    return voxel_map


def _look(voxel_map: VoxelMap, step: int, with_embedding: bool = True) -> None:
    """A camera that turns and moves; every third frame the chair is somewhere else."""
    chair = 0.5 * (step // 3 % 2)
    scene = (
        ROOM[0],
        Cuboid((2.02, 0.42 + chair, 0.52), (2.42, 0.92 + chair, 1.12), 1, (200, 0, 0)),
        ROOM[2],
    )
    pose = looking_along(0.4 * np.sin(1.3 * step), (0.0, 0.3 * np.cos(step), 1.2))
    voxel_map.integrate(*observe(scene, pose, 100 * step, with_embedding))


def _decoded(contents: BlockContents) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """(embedding, class) of the voxels of each half block in their order, then (0, when it was last seen), by
    the key of the block."""
    assert contents.refresh(MOST, run_in_turn)
    keys, _, lists, seen, _ = contents.blocks()
    found = {}
    for number in np.flatnonzero(keys != NO_KEY):
        for half in range(HALVES):
            at = lists.halves[HALVES * number + half]
            own = lists.codes[at["code_at"] :][: at["code_size"]]
            entries = at["list_at"] + own.astype(np.int64)
            pairs = zip(lists.embeddings[entries].tolist(), lists.classes[entries].tolist(), strict=True)
            found[int(keys[number]), half] = [*pairs, (0, int(seen[HALVES * number + half]))]
    return found


def _same_answers(voxel_map: VoxelMap) -> None:
    ours, plain = (
        voxel_map.query(TEXTS, encoder=ENCODER, calibration=CALIBRATION, top_k=1000, region=region)
        for region in (None, EVERYWHERE)
    )
    for one, other in zip(ours, plain, strict=True):
        assert len(one.answers) == len(other.answers)
        for answer in one.answers:
            same = [
                item
                for item in other.answers
                if (item.position, item.size, item.voxels, item.label)
                == (answer.position, answer.size, answer.voxels, answer.label)
            ]
            assert len(same) == 1
            assert same[0].score == pytest.approx(answer.score, abs=1e-4)


@pytest.mark.parametrize("options", [{}, {"hot_voxels": 300}, {"min_weight": 1.5, "gap_voxels": 3}])
def test_answers_are_those_of_all_voxels_while_the_map_changes(options):
    voxel_map = _empty_map(**options)
    found = 0
    for step in range(12):
        _look(voxel_map, step)
        if step % 2:
            _same_answers(voxel_map)
            found += len(voxel_map.query(["chair"], encoder=ENCODER, calibration=CALIBRATION)[0].answers)
    assert found > 0
    assert voxel_map._layers.contents() is not None
    voxel_map.close()


def test_what_was_kept_up_is_what_would_be_read_anew():
    voxel_map = _empty_map(hot_voxels=300)
    for step in range(4):
        _look(voxel_map, step)
    layers = voxel_map._layers
    contents = layers.contents()
    assert contents is not None
    kinds = set()
    for step in range(4, 30):
        _look(voxel_map, step, with_embedding=step % 5 > 0)
        fresh = BlockContents(layers.store, voxel_map.config.min_weight, MOST)
        kept = _decoded(contents)
        assert kept == _decoded(fresh)
        layers.store.unwatch(fresh)
        embeddings = {embedding for pairs in kept.values() for embedding, _ in pairs if embedding}
        kinds |= {"hot" if one >= HOT else "plain" if one >= PLAIN else "shared" for one in embeddings}
    assert kinds == {"hot", "plain", "shared"}
    voxel_map.close()


def test_what_looks_as_it_did_need_not_be_read_again():
    voxel_map = _empty_map()
    poses = [looking_along(0.0), looking_along(0.1)]
    for step in range(40):
        voxel_map.integrate(*observe(ROOM, poses[step % 2], 100 * step))
    contents = voxel_map._layers.contents()
    assert contents is not None and contents.refresh(MOST, run_in_turn)
    before = contents.blocks().seen
    for step in range(40, 44):
        voxel_map.integrate(*observe(ROOM, poses[step % 2], 100 * step))
    changed = int(contents._changed.sum())
    seen = contents.blocks().seen
    assert changed < 0.1 * np.count_nonzero(seen > before)
    voxel_map.close()


def test_blocks_that_came_to_rest_are_read_without_a_question():
    voxel_map = _empty_map()
    _look(voxel_map, 0)
    voxel_map.query(["chair"], encoder=ENCODER)
    contents = voxel_map._layers.contents()
    assert contents is not None
    _look(voxel_map, 3)
    assert contents._changed.any()
    for _ in range(40):
        contents.tick(64, run_in_turn)
    assert not contents._changed.any()
    voxel_map.close()


class _Mapping(MadeUpEncoder):
    """While it encodes, the camera sees how things change, then goes far away: what it saw comes to rest."""

    def __init__(self, voxel_map: VoxelMap) -> None:
        super().__init__()
        self._map = voxel_map

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        for step in range(6, 12):
            _look(self._map, step)
        away = np.eye(4)
        away[0, 3] = 30.0
        for step in range(30):
            frame, prediction = observe(ROOM, looking_along(0.0), 10_000 + step)
            self._map.integrate(frame.with_pose(away @ frame.pose), prediction)
        return super().encode(texts)


@pytest.mark.parametrize("with_embedding", [True, False])
def test_mapping_does_not_change_what_a_question_reads(with_embedding):
    asked, plain = _empty_map(), _empty_map()
    for voxel_map in (asked, plain):
        _look(voxel_map, 0)
        voxel_map.query(TEXTS, encoder=ENCODER, calibration=CALIBRATION)
        _look(voxel_map, 3, with_embedding)
        voxel_map.query(TEXTS, encoder=ENCODER, calibration=CALIBRATION)
        _look(voxel_map, 4)
    answers = asked.query(TEXTS, encoder=_Mapping(asked), calibration=CALIBRATION, top_k=1000)
    assert answers == plain.query(TEXTS, encoder=ENCODER, calibration=CALIBRATION, top_k=1000)
    _same_answers(asked)
    for voxel_map in (asked, plain):
        voxel_map.close()


def test_more_texts_than_bits_of_a_word_are_answered_as_each_alone():
    voxel_map = _empty_map()
    for step in range(3):
        _look(voxel_map, step)
    texts = [NAMES[number % len(NAMES)] for number in range(100)]
    together = voxel_map.query(texts, encoder=ENCODER, calibration=CALIBRATION)
    alone = {
        name: voxel_map.query([name], encoder=ENCODER, calibration=CALIBRATION)[0].answers for name in NAMES
    }
    assert any(alone.values())
    assert [result.answers for result in together] == [alone[text] for text in texts]
    voxel_map.close()


def test_a_loaded_map_and_one_with_other_classes_answer_as_their_voxels_do(tmp_path):
    voxel_map = _empty_map(hot_voxels=300)
    for step in range(8):
        _look(voxel_map, step)
    _same_answers(voxel_map)
    voxel_map.save(tmp_path / "room.rgbdmap")
    loaded = VoxelMap.load(tmp_path / "room.rgbdmap")
    _same_answers(loaded)
    other = type(VOCABULARY)((*NAMES, "shelf"), VOCABULARY.text_space)
    assert loaded.set_vocabulary(other, ENCODER.encode(other.names)) == "recomputed"
    _same_answers(loaded)
    loaded.clear()
    assert not loaded.query(["chair"], encoder=ENCODER)[0].answers
    assert loaded.set_vocabulary(VOCABULARY, ENCODER.encode(NAMES)) == "reset"
    for step in range(3):
        _look(loaded, step, with_embedding=False)
    _same_answers(loaded)
    for opened in (voxel_map, loaded):
        opened.close()


def test_without_enough_memory_the_voxels_are_looked_at():
    voxel_map = _empty_map()
    for step in range(4):
        _look(voxel_map, step)
    layers = voxel_map._layers
    with_blocks = voxel_map.query(TEXTS, encoder=ENCODER, calibration=CALIBRATION)
    contents = layers.contents()
    assert contents is not None
    contents._most_bytes = contents.nbytes // 2
    contents._used[:] = MOST  # all room is used up: there will have to be more
    _look(voxel_map, 4)
    assert len(voxel_map.query(TEXTS, encoder=ENCODER, calibration=CALIBRATION)) == len(with_blocks)
    assert layers.contents() is None
    _same_answers(voxel_map)
    voxel_map.close()
