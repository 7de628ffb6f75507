"""Frames with predictions of the benchmark's rooms, made one at a time: a hundred would fill the memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.bench.embeddings import CLASS_NAMES, TEXT_SPACE, Embeddings, MadeUpTexts, class_of
from rgbd_perception.bench.rooms import make_room, measured, render, survey_poses, video_poses
from rgbd_perception.errors import UserError
from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.vocabulary import Vocabulary

GRID = (120, 160)
FULL = (480, 640)
_SURFACES = 64
"""Numbers kept for the instances of one room."""
_STAMP_STEP_NS = 33_333_333


class Scene:
    """A camera in a world without end. Frames have noise of their own each time they are made.

    embeddings  where those of the predictions come from
    full_depth  480x640 images with a grid of stride 4 instead of 120x160 images with one of stride 1: the
                same 19,200 samples
    """

    def __init__(self, embeddings: Embeddings, full_depth: bool = False, seed: int = 0) -> None:
        height, width = FULL if full_depth else GRID
        self.stride = height // GRID[0]
        focal = 0.89 * width  # 59 degrees, as a structured-light camera has
        self.camera = CameraIntrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)
        self._embeddings = embeddings
        self._rng = np.random.default_rng(seed)
        self._stamp_ns = 0

    def video(self, place: int, count: int) -> Iterator[tuple[RgbdFrame, Prediction]]:
        """``count`` successive frames at 30 Hz in room ``place``."""
        room = make_room(place)
        return (self._frame(place, pose) for pose in video_poses(room, count))

    def survey(self, place: int) -> Iterator[tuple[RgbdFrame, Prediction]]:
        """Few views of all of room ``place``."""
        return (self._frame(place, pose) for pose in survey_poses(make_room(place)))

    def _frame(self, place: int, pose: NDArray[np.float64]) -> tuple[RgbdFrame, Prediction]:
        rng, camera = self._rng, self.camera
        exact, surface = render(make_room(place), pose, camera)
        middle = slice(self.stride // 2, None, self.stride)
        grid = camera.strided(self.stride)
        instance = place * _SURFACES + surface[middle, middle].astype(np.int64)
        points = _points(exact[middle, middle], grid, pose)
        prediction = Prediction(
            cell_labels=class_of(instance),
            cell_confidence=rng.uniform(0.5, 0.95, instance.shape).astype(np.float32),
            stride=self.stride,
            embedding=self._embeddings(points, instance, rng),
            model_id="bench",
            text_space=TEXT_SPACE,
        )
        color = np.repeat((surface * 11 % 256).astype(np.uint8)[..., None], 3, axis=2)
        self._stamp_ns += _STAMP_STEP_NS
        return RgbdFrame(color, measured(exact, rng), camera, self._stamp_ns, "camera", pose), prediction


def bench_map(dim: int, config: MapConfig | None = None) -> VoxelMap:
    """An empty map that knows the classes of the scenes."""
    voxel_map = VoxelMap(config)
    voxel_map.set_vocabulary(Vocabulary(CLASS_NAMES, TEXT_SPACE), MadeUpTexts(dim).encode(CLASS_NAMES))
    return voxel_map


def grow(voxel_map: VoxelMap, scene: Scene, voxels: int, places: Iterator[int]) -> Iterator[int]:
    """Put views of the rooms ``places`` into the map until it has ``voxels``; yields the size after each
    frame.

    Raises UserError where a room adds nothing: the limit of the map is lower.
    """
    while len(voxel_map) < voxels:
        before = len(voxel_map)
        for frame, prediction in scene.survey(next(places)):
            voxel_map.integrate(frame, prediction)
            yield len(voxel_map)
            if len(voxel_map) >= voxels:
                return
        if len(voxel_map) <= before:
            raise UserError(f"the map does not grow beyond {before} voxels, {voxels} are to be measured")


def _points(
    depth: NDArray[np.float32], camera: CameraIntrinsics, pose: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(h, w, 3) points in the map frame of a depth image."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    local = np.stack([(u - camera.cx) / camera.fx * depth, (v - camera.cy) / camera.fy * depth, depth], -1)
    return local @ pose[:3, :3].T + pose[:3, 3]
