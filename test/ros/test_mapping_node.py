"""The node ``mapping`` over real topics and services: order of arrival, answers, refusals, files, outputs."""

from __future__ import annotations

import resource
import threading
import time

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.msg import MapObjectArray
from rgbd_perception.ros.messages import pack_frame, pack_vocabulary
from rgbd_perception.ros.qos import MAP_OUTPUT
from rgbd_perception.srv import QueryText
from rgbd_perception.text import create_text_encoder
from rgbd_perception.text.prompts import embed_class_names
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary
from test.ros.mapping_rig import NAMES, TEXT_SPACE, Rig, predict
from test.ros.spinning import spinner
from test.ros.tiny_room import HALF_SIZE, room_frames


@pytest.fixture(scope="module")
def encoder():
    return create_text_encoder(TEXT_SPACE)


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary(NAMES, TEXT_SPACE)


@pytest.fixture
def served():
    with spinner() as served:
        yield served


def test_frame_waits_for_names_and_pose_and_goes_into_the_map(served, vocabulary, encoder):
    """Everything arrives in the wrong order, as messages: frame, names, pose."""
    rig = Rig(served, pose_wait=5.0)
    frame = next(room_frames(1))
    rig.frames.publish(pack_frame(frame, predict(frame, vocabulary, encoder)))
    served.until(lambda: rig.counts.frames_in == 1)
    rig.labels.publish(pack_vocabulary(vocabulary))
    served.until(lambda: rig.node.keeper.vocabulary_id == vocabulary.id)
    assert rig.counts.in_flight == 1
    rig.send_pose(frame)
    served.until(lambda: rig.counts.frames_processed == 1)
    assert rig.counts.drops == {}
    centers = rig.node.keeper.map.voxels().centers
    assert len(centers) > 100
    on_a_wall = np.abs(np.abs(centers) - HALF_SIZE).min(axis=1) < 0.11
    assert on_a_wall.all(), "poses and depth were combined wrongly"


def test_what_never_comes_is_a_counted_drop(served, vocabulary, encoder):
    rig = Rig(served, pose_wait=0.1)
    frame = next(room_frames(1))
    prediction = predict(frame, vocabulary, encoder)
    rig.frames.publish(pack_frame(frame, prediction))
    served.until(lambda: rig.counts.drops == {"vocabulary_missing": 1})
    rig.labels.publish(pack_vocabulary(vocabulary))
    served.until(lambda: rig.node.keeper.vocabulary_id == vocabulary.id)
    rig.frames.publish(pack_frame(frame, prediction))
    served.until(lambda: rig.counts.drops == {"vocabulary_missing": 1, "pose_missing": 1})
    message = pack_frame(frame, prediction)
    message.depth = message.depth[:100]
    rig.frames.publish(message)
    served.until(lambda: rig.counts.drops.get("message_invalid") == 1)
    assert (rig.counts.frames_in, rig.counts.in_flight) == (3, 0)


def test_texts_find_their_walls(served, vocabulary, encoder):
    rig = Rig(served)
    rig.map_room(vocabulary, encoder)
    response = rig.query("shelf full of books", "an elephant", top_k=1)
    assert response.success, response.message
    assert [item.query for item in response.objects] == ["shelf full of books"]
    answer = response.objects[0]
    assert answer.label == "bookshelf"
    assert answer.pose.position.x == pytest.approx(HALF_SIZE[0], abs=0.1)
    assert response.reasons[0] == ""
    assert "nothing found" in response.reasons[1]


def test_region_and_negatives_leave_answers_out(served, vocabulary, encoder):
    rig = Rig(served)
    rig.map_room(vocabulary, encoder)
    request = {"use_region": True}
    far = QueryText.Request()
    far.region_pose.position.x, far.region_pose.orientation.w = 50.0, 1.0
    far.region_size.x = far.region_size.y = far.region_size.z = 1.0
    outside = rig.query("bookshelf", region_pose=far.region_pose, region_size=far.region_size, **request)
    assert outside.success
    assert not outside.objects
    far.region_pose.position.x = 2.0
    inside = rig.query("bookshelf", region_pose=far.region_pose, region_size=far.region_size, **request)
    assert inside.objects[0].label == "bookshelf"
    assert rig.query("bookshelf", negatives=["bookshelf"]).objects == []


def test_a_point_says_what_is_there(served, vocabulary, encoder):
    rig = Rig(served)
    assert "the map is empty" in rig.at((0, 0, 0)).message
    rig.map_room(vocabulary, encoder)
    (books,) = rig.query("bookshelf", top_k=1).objects
    voxels = rig.node.keeper.map.voxels()
    shelf = voxels.centers[voxels.labels == vocabulary.names.index("bookshelf")]
    answer = rig.at(shelf[len(shelf) // 2], texts=["shelf full of books", "door"])
    assert answer.success, answer.message
    assert answer.labels[0] == books.label
    assert answer.probabilities[0] > 0.5
    assert answer.scores[0] > answer.scores[1]
    assert answer.color.a == 1
    assert answer.voxels > 0
    far = rig.at((50, 0, 0))
    assert far.success
    assert "nothing is known" in far.message
    assert (far.voxels, far.color.a, list(far.labels)) == (0, 0, [])
    assert far.nearest_distance > 40
    assert "got 'kitchen'" in refusal(rig.at((0, 0, 0), frame_id="kitchen"))
    assert "radius" in refusal(rig.at((0, 0, 0), radius=-1.0))
    assert "empty one" in refusal(rig.at((0, 0, 0), texts=[" "]))


def test_a_relation_that_is_half_understood_is_refused(served, vocabulary, encoder):
    rig = Rig(served)
    rig.map_room(vocabulary, encoder, count=2)
    assert "'on the' in 'books on the' is not understood" in refusal(rig.query("books on the"))


def test_questions_that_cannot_be_asked_are_refused_with_a_reason(served, vocabulary, encoder):
    rig = Rig(served)
    assert "map is empty" in refusal(rig.query("door"))
    rig.map_room(vocabulary, encoder, count=2)
    assert "at least one text" in refusal(rig.query())
    assert "empty one" in refusal(rig.query("door", "  "))
    assert "in frame 'map', got 'kitchen'" in refusal(rig.query("door", frame_id="kitchen"))
    assert "region_size" in refusal(rig.query("door", use_region=True))
    assert rig.query("door").success, "the node must live on"


def refusal(response):
    assert not response.success
    assert "\n" not in response.message
    assert "internal error" not in response.message
    return response.message


def test_save_clear_load(served, vocabulary, encoder, tmp_path):
    rig = Rig(served)
    rig.map_room(vocabulary, encoder)
    voxels = len(rig.node.keeper.map)
    path = tmp_path / "room.rgbdmap"
    assert rig.file("save_map", path).success
    cleared = rig.clear()
    assert cleared.success
    assert f"{voxels} voxels" in cleared.message
    assert "map is empty" in refusal(rig.query("door"))
    loaded = rig.file("load_map", path)
    assert loaded.success, loaded.message
    assert len(rig.node.keeper.map) == voxels
    assert rig.query("bookshelf").objects[0].label == "bookshelf"


def test_a_loaded_map_gets_the_names_in_use(served, vocabulary, encoder, tmp_path):
    """Nobody has needed the text encoder yet, without which the classes of the file cannot be told anew."""
    path = tmp_path / "map.rgbdmap"
    saved = VoxelMap(MapConfig(voxel_size=0.1))
    saved.set_vocabulary(vocabulary, embed_class_names(encoder, vocabulary.names))
    for frame in room_frames(4):
        saved.integrate(frame, predict(frame, vocabulary, encoder))
    saved.save(path)
    rig = Rig(served, preload_text_encoder=False)
    others = Vocabulary(NAMES[::-1], TEXT_SPACE)
    rig.labels.publish(pack_vocabulary(others))
    served.until(lambda: rig.node.keeper.vocabulary_id == others.id)
    assert rig.file("load_map", path).success

    def names_of(voxel_map, names):
        return {names[label] for label in voxel_map.voxels().labels if label != UNKNOWN_LABEL}

    expected = names_of(saved, NAMES)
    served.until(lambda: names_of(rig.node.keeper.map, others.names) == expected, what="the classes")


def test_bad_files_are_refused_and_the_map_stays(served, vocabulary, encoder, tmp_path):
    rig = Rig(served)
    rig.map_room(vocabulary, encoder, count=2)
    voxels = len(rig.node.keeper.map)
    good, cut, foreign, moved = (tmp_path / f"{name}.rgbdmap" for name in ("good", "cut", "foreign", "moved"))
    assert rig.file("save_map", good).success
    cut.write_bytes(good.read_bytes()[:-1000])
    other_space = VoxelMap(frame_id="map")
    other_space.set_vocabulary(Vocabulary(["chair"], "open_clip:ViT-L-14-336"))
    other_space.save(foreign)
    VoxelMap(frame_id="odom").save(moved)
    assert str(cut) in refusal(rig.file("load_map", cut))
    assert "text space 'open_clip:ViT-L-14-336'" in refusal(rig.file("load_map", foreign))
    assert "map_frame:=odom" in refusal(rig.file("load_map", moved))
    assert str(tmp_path / "none") in refusal(rig.file("load_map", tmp_path / "none"))
    assert "got an empty one" in refusal(rig.file("save_map", ""))
    assert "home directory" in refusal(rig.file("save_map", "~nobody-of-this-name/map.rgbdmap"))
    assert "name of a file" in refusal(rig.file("save_map", "/"))
    assert len(rig.node.keeper.map) == voxels
    assert rig.query("door").success


def test_full_disk_leaves_the_old_file_whole(served, vocabulary, encoder, tmp_path):
    rig = Rig(served)
    rig.map_room(vocabulary, encoder, count=1)
    path = tmp_path / "room.rgbdmap"
    assert rig.file("save_map", path).success
    before = path.read_bytes()
    rig.map_room(vocabulary, encoder, count=12)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        response = rig.file("save_map", path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in refusal(response)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name], "a half-written file was left behind"
    assert rig.file("save_map", path).success


def test_slow_text_encoder_does_not_stop_the_mapping(served, vocabulary, encoder):
    """The first query loads an encoder for a second; frames go on being fused at their pace meanwhile."""
    rig = Rig(served, preload_text_encoder=False)
    loading = threading.Event()

    def load_slowly(text_space):
        loading.set()
        time.sleep(1.0)
        return create_text_encoder(text_space)

    rig.node.keeper._make_encoder = load_slowly
    rig.map_room(vocabulary, encoder, count=2)
    client = rig.user.create_client(QueryText, "mapping/query_text")
    served.until(client.service_is_ready)
    answer = client.call_async(QueryText.Request(texts=["door"]))
    served.until(loading.is_set)
    frame = next(room_frames(1))
    gaps, last = [], time.monotonic()
    while not answer.done():
        before = rig.counts.frames_processed
        rig.node.accept(frame, predict(frame, vocabulary, encoder))
        served.until(lambda before=before: rig.counts.frames_processed > before)
        gaps.append(time.monotonic() - last)
        last = time.monotonic()
    assert answer.result().success
    assert len(gaps) > 10
    assert np.median(gaps) < 0.05
    assert max(gaps) < 0.5, "a frame waited for the text encoder"


def test_new_names_give_the_old_voxels_new_classes(served, vocabulary, encoder):
    rig = Rig(served)
    rig.map_room(vocabulary, encoder)
    renamed = Vocabulary(["shelf with books", "entrance", "something else"], TEXT_SPACE)
    rig.labels.publish(pack_vocabulary(renamed))
    served.until(lambda: rig.node.keeper.vocabulary_id == renamed.id)
    assert rig.query("bookshelf", top_k=1).objects[0].label == "shelf with books"


def test_names_that_are_slow_to_embed_do_not_replace_those_that_followed_them(
    served, vocabulary, encoder, monkeypatch
):
    """Perception starts with its own names and is given others at once, while the text encoder is loaded."""
    rig = Rig(served)
    loading, may_go_on = threading.Event(), threading.Event()

    def slow_encoder(text_space):
        loading.set()
        assert may_go_on.wait(20)
        return encoder

    monkeypatch.setattr(rig.node.keeper, "_make_encoder", slow_encoder)
    rig.labels.publish(pack_vocabulary(vocabulary))
    served.until(loading.is_set)
    names_in_use = []
    set_names = rig.node.keeper.map.set_vocabulary
    monkeypatch.setattr(
        rig.node.keeper.map,
        "set_vocabulary",
        lambda given, embeddings=None: (names_in_use.append(given.id), set_names(given, embeddings))[1],
    )
    others = Vocabulary(NAMES[::-1], TEXT_SPACE)
    rig.labels.publish(pack_vocabulary(others))
    served.until(lambda: rig.node.keeper.vocabulary_id == others.id)
    may_go_on.set()
    served.until(lambda: rig.node.keeper.map.class_embeddings is not None)
    assert set(names_in_use) == {others.id}
    assert rig.node.keeper.vocabulary_id == others.id


def test_outputs_are_what_the_map_holds(served, vocabulary, encoder):
    rig = Rig(served, voxels_period=0.1, objects_period=0.1)
    rig.map_room(vocabulary, encoder)
    received = {}
    for topic, kind in (
        ("voxels", PointCloud2),
        ("objects", MapObjectArray),
        ("object_markers", MarkerArray),
    ):
        rig.user.create_subscription(
            kind, f"mapping/{topic}", lambda m, t=topic: received.update({t: m}), MAP_OUTPUT
        )
    served.until(lambda: len(received) == 3, what="the outputs")
    voxels = rig.node.keeper.map.voxels()
    points = read_points(received["voxels"])
    assert received["voxels"].header.frame_id == "map"
    np.testing.assert_allclose(np.stack([points[axis] for axis in "xyz"], axis=1), voxels.centers, atol=1e-6)
    packed = points["rgb"].view(np.uint32)
    np.testing.assert_array_equal((packed >> 16) & 255, voxels.colors[:, 0])
    np.testing.assert_array_equal(packed & 255, voxels.colors[:, 2])
    np.testing.assert_array_equal(points["label"], voxels.labels)
    labels = {item.label for item in received["objects"].objects}
    assert "bookshelf" in labels
    markers = received["object_markers"].markers
    assert markers[0].action == Marker.DELETEALL
    assert len(markers) == 1 + 2 * len(received["objects"].objects)


def test_query_result_marks_the_voxels_of_the_answers(served, vocabulary, encoder):
    rig = Rig(served)
    rig.map_room(vocabulary, encoder)
    received = []
    rig.user.create_subscription(PointCloud2, "mapping/query_result", received.append, MAP_OUTPUT)
    served.until(lambda: rig.node.count_subscribers("mapping/query_result") == 1)
    rig.query("ceiling", "bookshelf", top_k=1)
    served.until(lambda: received)
    points = read_points(received[0])
    shelf = points[points["query"] == 1]
    assert len(shelf) > 10
    assert (shelf["rank"] == 1).all()
    np.testing.assert_allclose(shelf["x"], HALF_SIZE[0], atol=0.16)


def read_points(cloud):
    formats = {7: "<f4", 6: "<u4", 4: "<u2", 2: "u1"}
    dtype = np.dtype(
        {
            "names": [field.name for field in cloud.fields],
            "formats": [formats[field.datatype] for field in cloud.fields],
            "offsets": [field.offset for field in cloud.fields],
            "itemsize": cloud.point_step,
        }
    )
    return np.frombuffer(cloud.data, dtype=dtype, count=cloud.width)


def test_autosave_now_and_then_and_at_the_end(served, vocabulary, encoder, tmp_path):
    path = tmp_path / "auto.rgbdmap"
    rig = Rig(served, autosave=True, map_file=str(path), autosave_interval=1.0)
    rig.map_room(vocabulary, encoder, count=2)
    served.until(path.is_file, what="the first autosave")
    rig.map_room(vocabulary, encoder, count=12)
    voxels = len(rig.node.keeper.map)
    rig.stop()
    assert len(VoxelMap.load(path)) == voxels
    again = Rig(served, autosave=True, map_file=str(path), load_on_start=True)
    assert len(again.node.keeper.map) == voxels


def test_damaged_map_at_the_start_is_an_error_and_is_not_overwritten(served, tmp_path):
    path = tmp_path / "auto.rgbdmap"
    path.write_bytes(b"not a map")
    with pytest.raises(UserError, match=r"auto\.rgbdmap"):
        Rig(served, autosave=True, map_file=str(path), load_on_start=True)
    assert path.read_bytes() == b"not a map"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"autosave": True}, "map_file:="),
        ({"pose_source": "gps"}, "one of tf, pose, odometry"),
        ({"voxel_size": -1.0}, "voxel_size"),
        ({"map_file": "/" + "a" * 300, "load_on_start": True}, "cannot be read: File name too long"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(served, parameters, message):
    with pytest.raises(UserError, match=message):
        Rig(served, **parameters)
