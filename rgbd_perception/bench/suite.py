"""The whole benchmark of the map: every part of the plan in turn, one dictionary of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from rgbd_perception.bench import machine
from rgbd_perception.bench.embeddings import ClusteredEmbeddings, DirectionEmbeddings
from rgbd_perception.bench.equal import Agreement, apartment_agreement, scene_agreement
from rgbd_perception.bench.files import time_files
from rgbd_perception.bench.memory import bytes_per_voxel, settled_resident_bytes
from rgbd_perception.bench.peers.running import measure_peers
from rgbd_perception.bench.plan import BenchPlan
from rgbd_perception.bench.queries import time_answers, time_scores, time_while_mapping
from rgbd_perception.bench.report import empty_result
from rgbd_perception.bench.scenes import Scene, bench_map, grow
from rgbd_perception.bench.updates import UNTIMED_FRAMES, time_updates
from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelMap, warm_up

_FIRST_TIMED_PLACE = 90_000
"""Rooms of timed stretches are none of those that fill the map."""
_IN_SIGHT = 15_000
"""Voxels that the untimed frames of a stretch add: the map has its size when the timed ones begin."""
_ROOM = 50_000
"""Voxels that the map may have beyond the number that is asked for: what timed frames add."""
_FRAMES_WHILE_MAPPING = 8
"""Kept at once, to be mapped to and fro: their embeddings take 20 MB each."""

Say = Callable[[str], None]
Bar = Callable[[Iterator[Any], str, int], Iterator[Any]]
"""bar(items, what, total) yields the items and shows how far it is; total 0: nobody knows."""


def run_map_bench(plan: BenchPlan, say: Say, bar: Bar) -> dict[str, Any]:
    """Measure the parts of ``plan``; keys as in docs/json.md, null for what was not measured.

    Raises UserError where a part cannot be measured at all; a missing peer or network is only said.
    """
    result = empty_result(plan)
    warm_up()
    if "machine" in plan.parts:
        say("memory bandwidth and matrix product of this machine")
        result["memory_bandwidth_gb_s"] = machine.memory_bandwidth_gb_s()
        result["sgemm_gflops"] = machine.sgemm_gflops()
    if plan.needs_map:
        _measure_map(plan, result, say, bar)
    if "equal" in plan.parts:
        _measure_equality(plan, result, say, bar)
    if "peers" in plan.parts:
        result["peers"] = measure_peers(plan, say)
    return result


def _measure_map(plan: BenchPlan, result: dict[str, Any], say: Say, bar: Bar) -> None:
    """All that needs the large map, which is grown once."""
    scene = Scene(ClusteredEmbeddings(plan.dim))
    resident = settled_resident_bytes()
    # As large as it has to be: what is set aside for voxels that never come is memory too.
    voxel_map = bench_map(plan.dim, MapConfig(max_voxels=plan.voxels + _ROOM))
    try:
        _grow_and_update(plan, voxel_map, scene, result, bar)
        result["voxels"] = len(voxel_map)
        if "memory" in plan.parts:
            time_answers(voxel_map, plan.dim, 1)  # what questions keep of the map counts too
            measured = bytes_per_voxel(voxel_map, resident)
            result["bytes_per_voxel"] = measured.stated
            result["resident_bytes_per_voxel"] = measured.resident
        if "updates" in plan.parts:
            full = Scene(ClusteredEmbeddings(plan.dim), full_depth=True)
            _time_stretch(plan, voxel_map, full, "1M", "update_full_depth", result, bar)
        if "queries" in plan.parts:
            _measure_queries(plan, voxel_map, scene, result, say)
        if "files" in plan.parts:
            say("saving and loading")
            times = time_files(voxel_map)
            result |= {"save_s_1m": times.save_s, "load_s_1m": times.load_s, "file_bytes": times.nbytes}
            result["plain_write_s"] = times.write_s
    finally:
        voxel_map.close()


def _grow_and_update(
    plan: BenchPlan, voxel_map: VoxelMap, scene: Scene, result: dict[str, Any], bar: Bar
) -> None:
    places = count()
    in_sight = _IN_SIGHT if "updates" in plan.parts else 0
    for name, voxels in plan.sizes.items():
        voxels = max(0, voxels - in_sight)
        for _ in bar(grow(voxel_map, scene, voxels, places), f"growing to {voxels:,} voxels", 0):
            pass
        if "updates" in plan.parts:
            _time_stretch(plan, voxel_map, scene, name, "update", result, bar)


def _time_stretch(
    plan: BenchPlan,
    voxel_map: VoxelMap,
    scene: Scene,
    size: str,
    kind: str,
    result: dict[str, Any],
    bar: Bar,
) -> None:
    """The same stretch of video for every size and kind, each time in a room that the map does not know."""
    place = _FIRST_TIMED_PLACE + len(result["updates"])
    frames = UNTIMED_FRAMES + plan.frames
    times = time_updates(voxel_map, bar(scene.video(place, frames), f"{kind} at {size}", frames))
    timings = times.timings
    if kind == "update":
        result["update_ms"][size], result["update_p99_ms"][size] = timings.p50, timings.p99
    else:
        result["update_full_depth_ms"], result["update_full_depth_p99_ms"] = timings.p50, timings.p99
    result["updates"].append(
        {
            "kind": kind,
            "size": size,
            "voxels": times.voxels,
            "touched": times.touched,
            "new_percent": round(100 * times.new, 2),
            "worst_ms": round(timings.worst, 3),
        }
    )


def _measure_queries(
    plan: BenchPlan, voxel_map: VoxelMap, scene: Scene, result: dict[str, Any], say: Say
) -> None:
    say("ranked answers and all scores, 8 texts")
    answers = time_answers(voxel_map, plan.dim, plan.repeats)
    scores = time_scores(voxel_map, plan.dim, plan.repeats)
    result |= {"answers_ms_1m_8_texts": answers.p50, "answers_p99_ms_1m_8_texts": answers.p99}
    result |= {"scores_ms_1m_8_texts": scores.p50, "scores_p99_ms_1m_8_texts": scores.p99}
    say(f"answers while mapping at 30 Hz, {plan.seconds:g} s")
    frames = list(scene.video(_FIRST_TIMED_PLACE + len(result["updates"]), _FRAMES_WHILE_MAPPING))
    both = time_while_mapping(voxel_map, plan.dim, frames, plan.seconds)
    result["answers_p99_ms_while_mapping"] = both.answers.p99
    result["while_mapping"] = {
        "answers": len(both.answers.ms),
        "answers_p50_ms": both.answers.p50,
        "updates": len(both.updates.ms),
        "updates_late": both.late,
        "update_p50_ms": both.updates.p50,
        "update_worst_ms": round(both.updates.worst, 3),
    }


def _measure_equality(plan: BenchPlan, result: dict[str, Any], say: Say, bar: Bar) -> None:
    total = Agreement()
    say(f"{plan.apartments} held-out apartments, {plan.views} views each, exact and usual map")
    try:
        rooms = apartment_agreement(plan.apartments, plan.views, plan.model)
        for agreement in bar(rooms, "apartments", plan.apartments):
            total += agreement
    except UserError as error:
        say(f"  left out: {error}")
    result["answers_equal_percent"] = total.answers_percent
    result["answers_tied_percent"] = total.tied_percent
    result["voxels_equal_percent"] = total.voxels_percent
    say("made-up embeddings with and without clusters, exact and usual map")
    for name, embeddings in (("clusters", ClusteredEmbeddings), ("stress", DirectionEmbeddings)):
        made_up = scene_agreement(embeddings(plan.dim), plan.dim, plan.sizes["100k"])
        result[f"{name}_voxels_equal_percent"] = made_up.voxels_percent
        result[f"{name}_answers_equal_percent"] = made_up.answers_percent
