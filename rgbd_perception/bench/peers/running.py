"""All peers, each in a process of its own.

Several of these libraries bring their own OpenMP; two in one process have crashed. A peer that crashes must
not end the benchmark either, and its memory must not count as ours.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from rgbd_perception.bench.embeddings import DirectionEmbeddings, MadeUpTexts
from rgbd_perception.bench.peers import faiss_flat, octomap_tree, open3d_grid, usearch_exact
from rgbd_perception.bench.peers.importing import version_of
from rgbd_perception.bench.plan import BenchPlan
from rgbd_perception.bench.queries import TEXTS
from rgbd_perception.bench.scenes import Scene
from rgbd_perception.bench.timings import Timings
from rgbd_perception.bench.updates import UNTIMED_FRAMES
from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig

GEOMETRY: dict[str, tuple[Callable[..., tuple[Timings, str]], tuple[str, ...]]] = {
    "open3d_voxel_block_grid": (open3d_grid.update_times, ("open3d-cpu", "open3d")),
    "octomap": (octomap_tree.update_times, ("octomap-python",)),
}
"""Name in the report: what measures it, and the PyPI packages it may come from."""
SEARCH: dict[str, Callable[..., dict[str, Any]]] = {
    **dict.fromkeys(faiss_flat.KINDS, faiss_flat.search),
    **dict.fromkeys(usearch_exact.KINDS, usearch_exact.search),
}
_MOST_FRAMES, _MOST_FULL_FRAMES = 30, 10
"""OctoMap needs half a second a frame."""


def measure_peers(plan: BenchPlan, say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Peer to its figures, or to ``{"missing": why}``; ``say`` gets the lines of progress."""
    figures: dict[str, dict[str, Any]] = {}
    for name in (*GEOMETRY, *SEARCH):
        say(f"peer {name}")
        try:
            figures[name] = measure_peer(name, plan)
        except UserError as error:
            say(f"  left out: {error}")
            figures[name] = {"missing": str(error)}
    return figures


def measure_peer(name: str, plan: BenchPlan) -> dict[str, Any]:
    """Figures of one peer, from a fresh process. Raises UserError where it is missing or crashes."""
    measure = _geometry if name in GEOMETRY else _search
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure, name, plan).result()
        except BrokenProcessPool as error:
            raise UserError(f"{name} ended its process (a crash, or no memory left): not measured") from error


def _geometry(name: str, plan: BenchPlan) -> dict[str, Any]:
    """Updates with the video of the update benchmark, grid depth and full depth."""
    measure, packages = GEOMETRY[name]
    config = MapConfig()
    figures: dict[str, Any] = {"version": version_of(*packages)}
    for key, full, most in (
        ("update_ms", False, _MOST_FRAMES),
        ("update_full_depth_ms", True, _MOST_FULL_FRAMES),
    ):
        scene = Scene(DirectionEmbeddings(1), full)  # embeddings that cost nothing: nobody reads them here
        video = scene.video(0, UNTIMED_FRAMES + min(plan.frames, most))
        frames = [frame for frame, _ in video]
        timings, note = measure(frames, config.voxel_size, config.max_depth, UNTIMED_FRAMES)
        figures |= {key: timings.p50, key.replace("_ms", "_p99_ms"): timings.p99}
        figures.setdefault("note", note)
    return figures


def _search(name: str, plan: BenchPlan) -> dict[str, Any]:
    texts = MadeUpTexts(plan.dim).encode(TEXTS)
    return SEARCH[name](name, texts, plan.voxels, plan.repeats)
