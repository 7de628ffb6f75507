"""The benchmark's rooms: depth is that of the boxes, a video sees the same voxels again, maps fill up."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.bench.embeddings import ClusteredEmbeddings, DirectionEmbeddings
from rgbd_perception.bench.rooms import ROOM_SIZE, WALLS, make_room, measured, render, video_poses
from rgbd_perception.bench.scenes import Scene, bench_map, grow
from rgbd_perception.bench.updates import UNTIMED_FRAMES, time_updates
from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig

DIM = 16
SCENE = Scene(ClusteredEmbeddings(DIM))


@given(place=st.integers(0, 100_000), step=st.integers(0, 300))
def test_every_measured_point_lies_on_the_surface_it_names(place, step):
    room, camera = make_room(place), SCENE.camera.strided(8)
    pose = video_poses(room, step + 1)[-1]
    depth, surface = render(room, pose, camera)
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
    points = (rays * depth[..., None]) @ pose[:3, :3].T + pose[:3, 3] - room.origin
    wall = surface < WALLS
    axis, side = surface[wall] // 2, surface[wall] % 2
    expected = np.array(ROOM_SIZE)[axis] * side
    np.testing.assert_allclose(np.take_along_axis(points[wall], axis[:, None], 1)[:, 0], expected, atol=1e-3)
    box = surface[~wall] - WALLS
    inside = (points[~wall] > room.low[box] - 1e-3) & (points[~wall] < room.high[box] + 1e-3)
    assert inside.all()
    faces = np.minimum(np.abs(points[~wall] - room.low[box]), np.abs(points[~wall] - room.high[box]))
    assert (faces.min(axis=1) < 1e-3).all()


def test_measured_depth_has_noise_that_grows_and_holes():
    rng = np.random.default_rng(0)
    near, far = (measured(np.full((120, 160), z, np.float32), rng) for z in (1.0, 4.0))
    assert near[near > 0].std() == pytest.approx(0.0014, rel=0.1)
    assert far[far > 0].std() == pytest.approx(16 * 0.0014, rel=0.1)
    assert 0.01 < np.mean(near == 0) < 0.08


@pytest.mark.parametrize("embeddings", [ClusteredEmbeddings(DIM), DirectionEmbeddings(DIM)])
@pytest.mark.parametrize("full_depth", [False, True])
def test_frames_have_19200_samples_with_unit_half_embeddings(embeddings, full_depth):
    frame, prediction = next(iter(Scene(embeddings, full_depth).video(3, 1)))
    assert frame.shape == ((480, 640) if full_depth else (120, 160))
    assert prediction.embedding is not None
    assert prediction.embedding.shape == (120, 160, DIM)
    assert prediction.embedding.dtype == np.float16
    lengths = np.linalg.norm(prediction.embedding.astype(np.float32), axis=2)
    np.testing.assert_allclose(lengths, 1, atol=2e-3)


def test_directions_belong_to_places_and_clusters_to_things():
    rng = np.random.default_rng(0)
    points = rng.uniform(-5, 5, (4, 50, 3))
    nothing = np.zeros((4, 50), np.int64)
    directions = DirectionEmbeddings(256)
    here, again, elsewhere = (directions(at, nothing, rng) for at in (points, points, points + 1.0))
    np.testing.assert_array_equal(here, again)
    assert np.abs((here.astype(np.float32) * elsewhere).sum(axis=2)).mean() < 0.2
    things = np.repeat(np.arange(4)[:, None], 50, axis=1)
    vectors = ClusteredEmbeddings(256)(points, things, rng).astype(np.float32)
    alike = np.einsum("id,jd->ij", *(vectors[:, column] for column in (0, 1)))
    assert np.diag(alike).min() > alike[~np.eye(4, dtype=bool)].max()


def test_a_video_mostly_sees_what_is_there_already():
    voxel_map = bench_map(DIM)
    times = time_updates(voxel_map, SCENE.video(0, UNTIMED_FRAMES + 10))
    assert len(times.timings.ms) == 10
    assert 0 < times.new < 0.1
    assert 0 < times.voxels <= len(voxel_map)


def test_a_map_grows_to_the_size_asked_for():
    voxel_map = bench_map(DIM)
    sizes = list(grow(voxel_map, SCENE, 20_000, count()))
    assert sizes[-1] == len(voxel_map) >= 20_000 > sizes[-2]


def test_a_map_that_cannot_grow_so_far_is_said():
    voxel_map = bench_map(DIM, MapConfig(max_voxels=1000))
    with pytest.raises(UserError, match="does not grow beyond 1000 voxels, 5000 are to be measured"):
        list(grow(voxel_map, SCENE, 5000, count()))
