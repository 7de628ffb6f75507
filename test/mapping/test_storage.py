"""Map files: what is written is read, damage is refused in one line, an old file survives everything."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelMap, storage
from rgbd_perception.mapping.storage import FORMAT_VERSION, read_metadata
from test.mapping.scenes import NAMES, ROOM, VOCABULARY, MadeUpEncoder, looking_along, observe

CONFIG = MapConfig(max_voxels=100_000)


def _map(with_embedding: bool = True, frames: int = 2, config: MapConfig = CONFIG) -> VoxelMap:
    turn = np.eye(4)
    turn[:3, :3] = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    voxel_map = VoxelMap(config, frame_id="house", map_from_source=turn)
    voxel_map.set_vocabulary(VOCABULARY, MadeUpEncoder().encode(NAMES) if with_embedding else None)
    for index in range(frames):
        voxel_map.integrate(*observe(ROOM, looking_along(0.1 * index), index, with_embedding))
    return voxel_map


@pytest.fixture(scope="module")
def good_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("maps") / "good.rgbdmap"
    _map().save(path)
    return path


def _columns(voxel_map: VoxelMap) -> dict[str, np.ndarray]:
    """Of the voxels; in place of shared embeddings, their directions: which row or slot is all the same."""
    store = voxel_map._layers.store
    rows = store.live_rows()
    columns = {name: column[rows] for name, column in store.columns.items()}
    if "feature_at" in columns:
        reader = voxel_map._layers.features.reader()
        vectors = reader.vectors(reader.number(columns.pop("feature_at"))) @ reader.basis
        columns["direction"] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return columns


def _same(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> bool:
    """Whether columns are equal, directions up to their rounding to 8 bits."""
    if before.keys() != after.keys():
        return False
    exact = all(np.array_equal(before[name], after[name]) for name in before if name != "direction")
    if "direction" not in before:
        return exact
    cosines = np.einsum("nd,nd->n", before["direction"], after["direction"])
    known = np.linalg.norm(before["direction"], axis=1) > 0.5
    return exact and bool(np.all(cosines[known] > 0.999)) and not cosines[~known].any()


@pytest.mark.parametrize("storage", ["compact", "exact"])
@pytest.mark.parametrize("with_embedding", [True, False])
@pytest.mark.parametrize("frames", [0, 2])
def test_loading_gives_back_what_was_saved(tmp_path, storage, with_embedding, frames):
    config = replace(CONFIG, storage=storage)
    saved = _map(with_embedding, frames, config)
    removed = saved._layers.store.live_rows()[::3].astype(np.int32)
    saved._layers.remove(removed)  # free rows must not be written
    size = saved.save(tmp_path / "m.rgbdmap")
    assert size == (tmp_path / "m.rgbdmap").stat().st_size
    loaded = VoxelMap.load(tmp_path / "m.rgbdmap", config)
    before, after = _columns(saved), _columns(loaded)
    assert _same(before, after)
    if storage == "exact":
        assert all(np.array_equal(before[name], after[name]) for name in before)
    assert loaded.frame_id == "house"
    assert np.array_equal(loaded.map_from_source, saved.map_from_source)
    assert loaded.vocabulary == VOCABULARY
    assert loaded.text_space == saved.text_space
    assert loaded.model_id == saved.model_id
    keys = before["key"]
    assert np.array_equal(loaded._layers.store.key[loaded._layers.store.index.find(keys)], keys)
    loaded.integrate(*observe(ROOM, looking_along(0.0), 9, with_embedding))


def test_a_loaded_map_answers_like_the_saved_one(good_file):
    loaded, original = VoxelMap.load(good_file, CONFIG), _map()
    for text in ("chair", "like table", "something else"):
        first, second = (m.query([text], encoder=MadeUpEncoder())[0] for m in (original, loaded))
        assert first == second


def test_the_container_is_plain_safetensors(good_file):
    from safetensors.numpy import load_file

    tensors = load_file(good_file)
    assert tensors["feature_vectors"].dtype == np.int8
    assert tensors["feature_at"].max() == len(tensors["feature_vectors"])
    metadata = read_metadata(good_file)
    assert metadata["voxels"] == tensors["key"].size
    assert metadata["label_names"] == list(NAMES)
    assert set(metadata["crc32"]) == set(tensors)


@settings(max_examples=60)
@given(st.floats(0, 1, exclude_max=True))
def test_a_cut_file_is_refused_wherever_it_is_cut(good_file, part):
    whole = good_file.read_bytes()
    _refused(good_file, whole[: int(part * len(whole))])


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 200])
def test_a_file_cut_in_its_header_is_refused(good_file, length):
    _refused(good_file, good_file.read_bytes()[:length])


@settings(max_examples=80)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(good_file, part, bit):
    content = bytearray(good_file.read_bytes())
    content[int(part * len(content))] ^= 1 << bit
    _refused_or_same(good_file, bytes(content))


def test_every_bit_of_the_header_matters_or_is_harmless(good_file):
    whole = good_file.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    for place in range(0, end, 7):
        content = bytearray(whole)
        content[place] ^= 1 << (place % 8)
        _refused_or_same(good_file, bytes(content))


def _refused(good_file: Path, content: bytes) -> None:
    path = good_file.with_name("damaged.rgbdmap")
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        VoxelMap.load(path, CONFIG)
    assert "\n" not in str(refusal.value)
    assert "damaged.rgbdmap" in str(refusal.value)


def _refused_or_same(good_file: Path, content: bytes) -> None:
    """Damage must never go unnoticed, neither in the voxels nor in what the file says about them."""
    path = good_file.with_name("damaged.rgbdmap")
    path.write_bytes(content)
    try:
        loaded = VoxelMap.load(path, CONFIG)
    except UserError as refusal:
        assert "\n" not in str(refusal)
        return
    good = VoxelMap.load(good_file, CONFIG)
    assert _same(_columns(good), _columns(loaded))
    before, after = asdict(good._header()), asdict(loaded._header())
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_every_bit_of_the_description_is_covered(good_file):
    """Digits of the voxel size, letters of a class name: all that JSON would read all the same."""
    content = good_file.read_bytes()
    for words in (b"voxel_size", b"house", b"chair", b"evidence_slots", b"map_from_source", b"made-up"):
        place = content.index(words)
        for offset in range(len(words) + 8):
            for bit in range(8):
                damaged = bytearray(content)
                damaged[place + offset] ^= 1 << bit
                _refused_or_same(good_file, bytes(damaged))


def test_another_version_is_named(good_file, tmp_path):
    present = f'format_version\\": {FORMAT_VERSION}'.encode()
    content = good_file.read_bytes().replace(present, b'format_version\\": 7')
    assert content != good_file.read_bytes()
    (tmp_path / "new.rgbdmap").write_bytes(content)
    with pytest.raises(UserError, match=f"version 7, this program reads 1 and {FORMAT_VERSION}"):
        VoxelMap.load(tmp_path / "new.rgbdmap")


def test_other_files_are_refused(tmp_path):
    from safetensors.numpy import save_file

    with pytest.raises(UserError, match="there is no map file"):
        VoxelMap.load(tmp_path / "missing.rgbdmap")
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="not a map"):
        VoxelMap.load(tmp_path / "model.safetensors")
    (tmp_path / "text.rgbdmap").write_text("hello")
    with pytest.raises(UserError, match="no whole map"):
        VoxelMap.load(tmp_path / "text.rgbdmap")


_DISK_FULL = """
import resource, sys
from pathlib import Path
from rgbd_perception.errors import UserError
from rgbd_perception.mapping import VoxelMap
path = Path(sys.argv[1])
before, voxel_map = path.read_bytes(), VoxelMap.load(path)
for limit in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        voxel_map.save(path)
    except UserError as error:
        assert "could not be written" in str(error), error
        assert path.read_bytes() == before
        assert [item.name for item in path.parent.iterdir()] == [path.name]
        print("refused")
"""


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, repository):
    path = tmp_path / "m.rgbdmap"
    _map(frames=1).save(path)
    before = path.read_bytes()
    result = subprocess.run(
        [sys.executable, "-c", _DISK_FULL, str(path), "100", "20000"],
        cwd=repository, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.stdout.split() == ["refused"] * 2, result.stderr
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.rgbdmap"]  # noqa: PTH208


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match="could not be written"):
        _map(frames=1).save(tmp_path / "nowhere" / "m.rgbdmap")


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(UserError, match="File name too long"):
        VoxelMap.load(tmp_path / ("a" * 300))


def test_leftovers_of_a_killed_writer_are_removed(tmp_path):
    path = tmp_path / "m.rgbdmap"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    leftover = tmp_path / f".m.rgbdmap.{ended.pid}.tmp"
    other = tmp_path / f".m.rgbdmap.{os.getppid()}.tmp"
    leftover.write_bytes(b"half")
    other.write_bytes(b"being written by a living process")
    _map(frames=1).save(path)
    assert not leftover.exists()
    assert other.exists()


def test_two_loaders_and_a_writer_never_see_half_a_map(tmp_path):
    path = tmp_path / "m.rgbdmap"
    maps = [_map(frames=1), _map(frames=3)]
    sizes = {len(voxel_map) for voxel_map in maps}
    maps[0].save(path)
    errors: list[BaseException] = []
    seen: list[int] = []

    def load() -> None:
        try:
            seen.extend(len(VoxelMap.load(path, CONFIG)) for _ in range(10))
        except BaseException as error:  # noqa: BLE001 (handed to the test below)
            errors.append(error)

    loaders = [threading.Thread(target=load) for _ in range(2)]
    for loader in loaders:
        loader.start()
    for index in range(20):
        maps[index % 2].save(path)
    for loader in loaders:
        loader.join()
    assert not errors
    assert set(seen) <= sizes


def test_a_map_saved_while_frames_come_in_is_of_one_instant(tmp_path):
    voxel_map = _map()
    stop = threading.Event()
    stamps = iter(range(10, 10**9))

    def mapping() -> None:
        while not stop.is_set():
            voxel_map.integrate(*observe(ROOM, looking_along(0.0), next(stamps)))

    mapper = threading.Thread(target=mapping)
    mapper.start()
    try:
        for index in range(5):
            voxel_map.save(tmp_path / f"{index}.rgbdmap")
    finally:
        stop.set()
        mapper.join()
    fixed_view = None
    for index in range(5):
        voxels = VoxelMap.load(tmp_path / f"{index}.rgbdmap", CONFIG).voxels()
        newest = voxels.last_seen.max()
        in_view = set(map(tuple, voxels.centers[voxels.last_seen == newest].tolist()))
        if newest >= 10_000_000:  # every frame of the mapper touches the same voxels at once, or none
            fixed_view = fixed_view or in_view
            assert in_view == fixed_view


def test_metadata_is_json(good_file):
    assert json.loads(json.dumps(read_metadata(good_file)))["frame_id"] == "house"


def test_a_recording_in_a_folder_whose_name_is_no_utf_8_is_read_back(tmp_path):
    """Python stands for such bytes with lone surrogates, which no JSON of another library may hold."""
    voxel_map = _map(frames=1)
    voxel_map.notes["source"] = "caf\udce9 椅子"
    voxel_map.save(tmp_path / "map.rgbdmap")
    assert VoxelMap.load(tmp_path / "map.rgbdmap").notes == voxel_map.notes


def test_a_file_without_permission_is_not_called_cut(good_file, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(
            errno.EACCES, "Permission denied"
        )  # chmod does not stop root, who may run tests

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(UserError, match=r"cannot read the map file .*: Permission denied"):
        VoxelMap.load(good_file)


def test_a_folder_is_no_map_file(tmp_path):
    with pytest.raises(UserError, match="Is a directory"):
        VoxelMap.load(tmp_path)


def test_files_of_version_1_are_read(tmp_path):
    """Half precision embeddings, float32 columns, stamps in nanoseconds, no checksum of the description."""
    from safetensors.numpy import save_file

    now = _map(config=replace(CONFIG, storage="exact"))
    store = now._layers.store
    rows = store.live_rows()
    columns = {name: store.columns[name][rows] for name in ("key", "weight", "color", "evidence")}
    columns["last_seen"] = now._header().stamps_ns(store.last_seen[rows])
    columns["misses"] = np.zeros(rows.size, np.uint8)
    columns["class_slot"] = store.columns["class_slot"][rows].astype(np.uint16)
    columns["feature"] = store.columns["feature"][rows].astype(np.float16)
    columns["feature_weight"] = store.columns["feature_weight"][rows]
    columns["class_embeddings"] = now.class_embeddings
    now.save(tmp_path / "new.rgbdmap")
    about = read_metadata(tmp_path / "new.rgbdmap")
    for name in (
        "metadata_crc32",
        "storage",
        "epoch_ns",
        "objects",
        "frames",
        "notes",
        "feature_vectors",
        "feature_dims",
    ):
        about.pop(name)
    about |= {
        "format_version": 1,
        "crc32": {name: storage._crc32(column) for name, column in columns.items()},
    }
    save_file(columns, tmp_path / "old.rgbdmap", {"rgbd_map": json.dumps(about)})
    old = VoxelMap.load(tmp_path / "old.rgbdmap", CONFIG)
    assert len(old) == len(now)
    assert np.array_equal(old.voxels().labels, now.voxels().labels)
    assert np.array_equal(old.voxels().last_seen, now.voxels().last_seen)
    first, second = (m.query(["chair"], encoder=MadeUpEncoder())[0].answers[0] for m in (old, now))
    assert first.position == second.position and abs(first.score - second.score) < 0.01
    spoilt = (tmp_path / "old.rgbdmap").read_bytes()
    (tmp_path / "old.rgbdmap").write_bytes(spoilt[:-3] + b"\x01\x02\x03")
    with pytest.raises(UserError, match="checksum"):
        VoxelMap.load(tmp_path / "old.rgbdmap")
