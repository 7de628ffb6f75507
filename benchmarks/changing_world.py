"""What the map does when the world changes: python benchmarks/changing_world.py [--json FILE] [--png FILE]

Frames of a generated room with the sensor's noise and holes, in which a person walks to and fro at 1 m/s (in
front of a camera that stands still, and of one that turns slowly), or a chair is put elsewhere. Every frame
goes into two maps, with and without carving. Reported for each scene:

trail          voxels in the free space that the thing swept, outside its present place, last measured at
               least N frames ago: mean over the frames in which it moves
gone           frames until 95 % of the voxels of the chair's old place have gone (chair only)
left           the same voxels at the end, with and without carving
static_lost    share of the voxels on the surfaces of the room that carving removed, at the worst moment, and
               of the class that suffers most
left_percent   left by left_without_carving; left_observed: those of them that answers and objects look at
carve_ms       median time of carving a frame; --sizes: in maps of other sizes
--png          the maps of the first room at the end from above: without carving, with carving
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping import MapConfig, VoxelArrays, VoxelMap, warm_up
from rgbd_perception.sources.synthetic.apartment import Apartment, RoomConfig, generate_apartment
from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES
from rgbd_perception.sources.synthetic.free_space import CELL, free_space
from rgbd_perception.sources.synthetic.materials import fabric
from rgbd_perception.sources.synthetic.path import intrinsics_for, look_at
from rgbd_perception.sources.synthetic.render import Rendered, Renderer, View
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder
from rgbd_perception.sources.synthetic.shapes_seating import chair_with_legs
from rgbd_perception.viewer.top_view import BACKGROUND, draw_top_view
from rgbd_perception.vocabulary import Vocabulary

AGES = (1, 3, 5, 10, 30)
STRIDE = 4
_AWAY = 0.1
"""Metres from every surface of the room from which a voxel counts as free space; also around the thing."""
_HALF_DIAGONAL = 0.045
"""A 5 cm voxel whose centre is nearer to a surface than this holds that surface."""

PANEL = (360, 400)
TITLES = {"walk": "somebody walked to and fro and left", "chair": "a chair was put elsewhere"}
"""Scenes that are drawn."""

Place = tuple[float, float]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scene:
    """A room and what moves in it: for every frame a view and the place (x, y) of the thing (None: away)."""

    name: str
    room: Apartment
    thing: Shape
    views: list[View]
    places: list[Place | None]
    rate: float
    seed: int

    def box(self, index: int) -> NDArray[np.float64] | None:
        """(2, 3) lowest and highest corner of the thing in frame ``index``, a little larger than it is."""
        place = self.places[index]
        if place is None:
            return None
        return np.add(self.thing.bounds, (*place, 0.0)) + np.array([[-_AWAY], [_AWAY]])


def person(rng: np.random.Generator) -> Shape:
    """Somebody 1.75 m tall, in 50 x 30 cm: two legs, a body, a head."""
    builder, cloth = ShapeBuilder(), fabric(rng)
    for side in (-0.1, 0.1):
        builder.cushion(cloth, (0, side, 0.43), (0.17, 0.16, 0.86), 0.4)
    builder.cushion(cloth, (0, 0, 1.15), (0.28, 0.5, 0.66), 0.5)
    builder.cushion(cloth, (0, 0, 1.61), (0.22, 0.18, 0.28), 1.0)
    return builder.build(cloth)


def _longest_lane(room: Apartment, camera: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Ends of the longest straight line of free floor along x or y, at least 1.2 m from the camera."""
    space = free_space(room)
    best: tuple[NDArray[np.float64], ...] = (camera, camera)
    for transposed, free in ((False, space.free), (True, space.free.T)):
        for row in range(free.shape[0]):
            run: list[NDArray[np.float64]] = []
            for column in range(free.shape[1]):
                point = space.point((column, row) if transposed else (row, column))
                if free[row, column] and np.linalg.norm(point - camera) > 1.2:
                    run.append(point)
                    if len(run) * CELL > np.linalg.norm(best[1] - best[0]) + CELL:
                        best = (run[0], run[-1])
                else:
                    run = []
    return best


def make_scene(name: str, seed: int = 3, frames: int = 120, rate: float = 10.0) -> Scene:
    """``name``: "walk", "walk, turning camera" or "chair". The person goes away after four fifths of the
    frames, the chair is put elsewhere after one third."""
    room = generate_apartment(seed, RoomConfig(1, ("living room",), min_objects=8, clutter=0.5))
    rng = np.random.default_rng(seed)
    space = free_space(room)
    cells = [space.point((int(row), int(column))) for row, column in np.argwhere(space.free)]
    center = np.array(room.rooms[0].center)
    corner = max(cells, key=lambda cell: float(np.linalg.norm(cell - center)))
    start, end = _longest_lane(room, corner)
    middle = (start + end) / 2
    swing = 0.35 if "turning" in name else 0.01
    heading = np.arctan2(*(middle - corner)[::-1])
    eye, camera = np.array([*corner, 1.2]), intrinsics_for((240, 320), 66.0)
    views = []
    for index in range(frames):
        yaw = heading + swing * np.sin(index / rate)
        views.append(View(look_at(eye, np.add(eye, (np.cos(yaw), np.sin(yaw), -0.18))), camera))
    if name == "chair":
        before, after = 0.7 * start + 0.3 * end, 0.3 * start + 0.7 * end
        there = [before if index < frames // 3 else after for index in range(frames)]
        places: list[Place | None] = [(float(x), float(y)) for x, y in there]
        return Scene(name, room, chair_with_legs(rng), views, places, rate, seed)
    length = float(np.linalg.norm(end - start))
    triangle = [abs((index / rate + length) % (2 * length) - length) for index in range(frames)]
    track = [start + (end - start) * along / length for along in triangle]
    places = [(float(x), float(y)) if i < frames * 4 // 5 else None for i, (x, y) in enumerate(track)]
    return Scene(name, room, person(rng), views, places, rate, seed)


def _with_thing(scene: Scene, place: Place | None) -> Apartment:
    """The room with one instance more, at ``place``; it is labelled as a box."""
    room, mesh = scene.room, scene.thing.mesh
    if place is None:
        return room
    position = (*place, 0.0)
    extra = replace(
        room.instances[-1],
        id=len(room.instances) + 1,
        class_name="box",
        label=CLASS_NAMES.index("box"),
        position=position,
    )
    rows = np.stack([material.row() for material in scene.thing.materials])
    return replace(
        room,
        instances=(*room.instances, extra),
        vertices=np.concatenate([room.vertices, mesh.vertices + np.asarray(position, np.float32)]),
        normals=np.concatenate([room.normals, mesh.normals]),
        triangles=np.concatenate([room.triangles, mesh.triangles + len(room.vertices)]),
        tri_instance=np.append(room.tri_instance, np.full(len(mesh.triangles), extra.id, np.uint16)),
        tri_material=np.append(room.tri_material, scene.thing.part + len(room.materials)).astype(np.int32),
        materials=np.concatenate([room.materials, rows]),
        frames=np.concatenate([room.frames, np.array([[1, 0, *position]], np.float32)]),
    )


def film(scene: Scene) -> Iterator[tuple[RgbdFrame, Prediction]]:
    """The frames with the sensor's noise, and the predictions of a network that knows the classes."""
    renderer, shown = Renderer(scene.room), None
    for index, (view, place) in enumerate(zip(scene.views, scene.places, strict=True)):
        if place != shown:
            renderer, shown = Renderer(_with_thing(scene, place)), place
        rendered = renderer.render(view, (scene.seed, index))
        stamp = round(index * 1e9 / scene.rate)
        frame = RgbdFrame(rendered.color, rendered.depth, view.intrinsics, stamp, "camera", view.pose)
        yield frame, _prediction(rendered)


def _prediction(rendered: Rendered) -> Prediction:
    cells = np.ascontiguousarray(rendered.label[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE])
    return Prediction(cells, np.full(cells.shape, 0.9, np.float32), STRIDE, model_id="truth")


@dataclass(frozen=True)
class Outcome:
    """Figures of one scene; see the top of this file."""

    scene: str
    trail: dict[int, float]
    gone: int | None
    left: int
    left_without_carving: int
    left_percent: float
    left_observed: int
    static_voxels: int
    static_lost: float
    worst_class: tuple[str, float]
    carve_ms: float


class _Judge:
    """Knows the room: which voxels lie on its surfaces, which in the free space that the thing swept."""

    def __init__(self, scene: Scene) -> None:
        self._room = Renderer(scene.room)
        self._scene = scene
        self._boxes: list[NDArray[np.float64]] = []

    def see(self, index: int) -> None:
        box = self._scene.box(index)
        if box is not None and not any(np.array_equal(box, old) for old in self._boxes):
            self._boxes.append(box)

    def on_surface(self, centers: NDArray[np.float32]) -> Flags:
        return self._room.clearance(centers) < _HALF_DIAGONAL

    def trail(self, centers: NDArray[np.float32], index: int) -> Flags:
        """(n,) whether a voxel lies where the thing was, away from the room's surfaces and from its place."""
        swept = np.zeros(len(centers), bool)
        for box in self._boxes:
            swept |= np.all((centers > box[0]) & (centers < box[1]), axis=1)
        box = self._scene.box(index)
        if box is not None:
            swept &= ~np.all((centers > box[0]) & (centers < box[1]), axis=1)
        swept[swept] = self._room.clearance(centers[swept]) > _AWAY
        return swept


def _lost(plain: VoxelArrays, carved: VoxelArrays, judge: _Judge) -> tuple[float, tuple[str, float]]:
    """Share of the surface voxels of the uncarved map that the other lacks: of all, of the worst class."""
    kept = {tuple(row) for row in np.round(carved.centers * 1000).astype(int)}
    surface = judge.on_surface(plain.centers)
    rows = np.round(plain.centers[surface] * 1000).astype(int)
    lost = np.array([tuple(row) not in kept for row in rows])
    labels = plain.labels[surface]
    shares = [
        (float(lost[labels == label].mean()), CLASS_NAMES[label])
        for label in np.unique(labels[labels < len(CLASS_NAMES)])
        if np.count_nonzero(labels == label) >= 50
    ]
    worst = max(shares, default=(0.0, ""))
    return float(lost.mean()), (worst[1], worst[0])


def play(scene: Scene, config: MapConfig | None = None) -> tuple[Outcome, VoxelMap, VoxelMap]:
    """Run one scene. Returns the figures, the map with carving and the map without."""
    config = config or MapConfig(max_voxels=400_000)
    maps = VoxelMap(config), VoxelMap(replace(config, carve=False))
    for voxel_map in maps:
        voxel_map.set_vocabulary(Vocabulary(CLASS_NAMES))
    judge = _Judge(scene)
    times, trails, lost = [], [], (0.0, ("", 0.0))
    at_change, gone = 0, None
    changed_at = next((i for i, place in enumerate(scene.places) if place != scene.places[0]), 0)
    for index, (frame, prediction) in enumerate(film(scene)):
        times.append(maps[0].integrate(frame, prediction).step_ms["carve"])
        maps[1].integrate(frame, prediction)
        judge.see(index)
        voxels = maps[0].voxels()
        trail = judge.trail(voxels.centers, index)
        ages = (frame.stamp_ns - voxels.last_seen[trail]) * scene.rate / 1e9
        if scene.places[index] is not None:
            trails.append([int(np.count_nonzero(ages > age - 0.5)) for age in AGES])
        if index == changed_at:
            at_change = int(trail.sum())
        if scene.name == "chair" and gone is None and index > changed_at and trail.sum() < 0.05 * at_change:
            gone = index - changed_at
        if index % 20 == 19 or index == len(scene.views) - 1:
            lost = max(lost, _lost(maps[1].voxels(), voxels, judge))
    uncarved = maps[1].voxels().centers
    left, plain = int(trail.sum()), int(judge.trail(uncarved, len(scene.views) - 1).sum())
    mean_trail = np.mean(trails, axis=0)
    outcome = Outcome(
        scene=f"{scene.name}, room {scene.seed}",
        trail={age: round(float(count), 1) for age, count in zip(AGES, mean_trail, strict=True)},
        gone=gone,
        left=left,
        left_without_carving=plain,
        left_percent=round(100 * left / max(plain, 1), 1),
        left_observed=int(np.count_nonzero(voxels.weights[trail] >= config.min_weight)),
        static_voxels=int(judge.on_surface(uncarved).sum()),
        static_lost=round(lost[0], 4),
        worst_class=(lost[1][0], round(lost[1][1], 4)),
        carve_ms=round(float(np.median(times)), 2),
    )
    return outcome, *maps


def panels(carved: VoxelMap, plain: VoxelMap, title: str) -> Image.Image:
    """Both maps from above, side by side, with a line of text."""
    picture = Image.new("RGB", (2 * PANEL[1] + 10, PANEL[0] + 24), BACKGROUND)
    for index, (voxel_map, how) in enumerate(((plain, "without carving"), (carved, "with carving"))):
        voxels = voxel_map.voxels()
        view = draw_top_view(voxels.centers, voxels.colors, voxel_map.config.voxel_size, PANEL)
        left = index * (PANEL[1] + 10)
        picture.paste(Image.fromarray(view.image), (left, 24))
        ImageDraw.Draw(picture).text((left + 6, 6), f"{title}, {how}", fill=(40, 40, 40))
    return picture


def carve_ms_by_size(scene: Scene, sizes: Sequence[int], config: MapConfig | None = None) -> dict[int, float]:
    """Median milliseconds of carving the last frames of ``scene`` in maps of (at least) these sizes.

    The map is grown by the same frame at places 20 m apart.
    """
    config = config or MapConfig()
    voxel_map = VoxelMap(config)
    shots = list(film(scene))
    for shot in shots:
        voxel_map.integrate(*shot)
    frame, prediction = shots[-1]
    result, place = {}, 0
    for size in sizes:
        while len(voxel_map) < size:
            place += 1
            pose = np.array(frame.pose)
            pose[:2, 3] += 20.0 * np.array([place % 40, place // 40])
            voxel_map.integrate(frame.with_pose(pose), prediction)
        times = [voxel_map.integrate(*shot).step_ms["carve"] for shot in shots[-10:] * 3]
        result[len(voxel_map)] = round(float(np.median(times)), 2)
    return result


def main() -> None:
    """Run the scenes, print one line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rooms", type=int, nargs="+", default=[3, 4, 5], help="seeds of the rooms")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="voxels, for the time of carving")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--png", type=Path, help="write a picture of the first room here")
    options = parser.parse_args()
    warm_up()
    results: dict[str, object] = {}
    drawn: list[Image.Image] = []
    for seed in options.rooms:
        for name in ("walk", "walk, turning camera", "chair"):
            outcome, carved, plain = play(make_scene(name, seed, options.frames))
            if options.png and seed == options.rooms[0] and name in TITLES:
                drawn.append(panels(carved, plain, TITLES[name]))
            results[outcome.scene] = outcome.__dict__
            print(json.dumps(outcome.__dict__), flush=True)
    if drawn:
        whole = Image.new("RGB", (drawn[0].width, sum(part.height for part in drawn)), BACKGROUND)
        for index, part in enumerate(drawn):
            whole.paste(part, (0, index * part.height))
        whole.save(options.png)
    if options.sizes:
        scene = make_scene("walk", options.rooms[0], 20)
        results["carve_ms_by_size"] = carve_ms_by_size(scene, options.sizes)
        print(json.dumps({"carve_ms_by_size": results["carve_ms_by_size"]}))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
