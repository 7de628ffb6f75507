"""Rendering training views to shards: independent random views of random apartments, with target embeddings.

Shard ``i`` of a split is made of the apartments ``first_seed + i * apartments_per_shard`` and following, and
depends on nothing else. So rendering can be spread over processes, stopped at any time and continued: shards
that are there are not made again.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES, describe
from rgbd_perception.training.class_targets import encode_classes
from rgbd_perception.training.shards import ShardArrays, ShardInfo, write_shard
from rgbd_perception.training.views_config import SplitConfig, ViewsConfig

if TYPE_CHECKING:
    from rgbd_perception.sources.synthetic.apartment import Apartment
    from rgbd_perception.text.encoder import TextEncoder

MAX_ROOMS = 3
SPLITS = ("test", "validation", "train")
CLASSES_FILE = "classes.npz"
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Of numpy's libraries and of torch."""


@dataclass(frozen=True)
class Job:
    """One shard to be rendered."""

    folder: Path
    seeds: tuple[int, ...]
    views: ViewsConfig
    text_space: str


def render_all(views: ViewsConfig, root: Path, text_space: str, processes: int) -> None:
    """Make every missing shard of every split below ``root`` (``train/``, ``validation/``, ``test/``)."""
    check_splits(views)
    jobs = missing_jobs(views, root, text_space)
    if not (root / CLASSES_FILE).exists():
        _write_classes(root, text_space)
    if not jobs:
        return
    from tqdm import tqdm

    with _workers(text_space, min(processes, len(jobs))) as rendered:
        for _ in tqdm(rendered(jobs), total=len(jobs), desc="rendering", unit="shard", disable=None):
            pass


@contextmanager
def _workers(text_space: str, processes: int) -> Iterator[Callable[[Iterable[Job]], Iterator[None]]]:
    """Something that renders jobs, in so many processes: one is this one."""
    if processes == 1:
        from rgbd_perception.text import create_text_encoder

        encoder = create_text_encoder(text_space)
        yield partial(map, partial(render_shard, encoder=encoder))
        return
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), context.Pool(processes, _start_worker, (text_space,)) as pool:
        yield lambda jobs: pool.imap_unordered(_run_job, jobs)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started within this have one thread for linear algebra: more would wait for each other.

    By the environment, because the libraries read it when they are loaded.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def missing_jobs(views: ViewsConfig, root: Path, text_space: str) -> list[Job]:
    """The shards that are not there yet; held-out splits first, because they are small."""
    jobs = []
    for name in SPLITS:
        split: SplitConfig = getattr(views, name)
        for index, start in enumerate(range(0, split.apartments, views.apartments_per_shard)):
            folder = root / name / f"shard_{index:05d}"
            if not (folder / "shard.json").exists():
                stop = min(start + views.apartments_per_shard, split.apartments)
                seeds = tuple(range(split.first_seed + start, split.first_seed + stop))
                jobs.append(Job(folder, seeds, views, text_space))
    return jobs


def check_splits(views: ViewsConfig) -> None:
    """UserError where two splits share a seed: held-out rooms must be unseen."""
    ranges = sorted(
        (split.first_seed, split.first_seed + split.apartments, name)
        for name in SPLITS
        for split in [getattr(views, name)]
    )
    for (_, end, name), (start, _, following) in pairwise(ranges):
        if start < end:
            raise UserError(f"the seeds of the splits {name} and {following} overlap: change first_seed")


def render_shard(job: Job, encoder: TextEncoder) -> None:
    """Render one shard and write it."""
    color, depth, rows = [], [], []
    texts: list[list[str]] = []
    classes: list[int] = []
    for seed in job.seeds:
        apartment = _apartment(seed)
        first_row = len(classes)
        classes += [instance.label for instance in apartment.instances]
        texts += _descriptions(apartment, job.views.descriptions)
        for view_color, view_depth, instance in _views(apartment, job.views):
            color.append(view_color)
            depth.append(view_depth)
            rows.append(np.where(instance > 0, instance + first_row, 0).astype(np.uint16))
    arrays = ShardArrays(
        color=np.stack(color),
        depth=np.stack(depth),
        rows=np.stack(rows),
        embeddings=_encode(encoder, texts).astype(np.float16),
        classes=np.asarray(classes, dtype=np.uint8),
    )
    write_shard(job.folder, arrays, ShardInfo(job.seeds, job.text_space, CLASS_NAMES))


def load_classes(root: Path) -> NDArray[np.float32]:
    """(C, D) class embeddings written beside the shards; UserError where they are missing."""
    path = root / CLASSES_FILE
    try:
        with np.load(path) as file:
            return np.asarray(file["embeddings"], dtype=np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"cannot read the class embeddings {path}: {error}: render the views again"
        ) from error


def _write_classes(root: Path, text_space: str) -> None:
    from rgbd_perception.text import create_text_encoder

    root.mkdir(parents=True, exist_ok=True)
    part = root / f"{CLASSES_FILE}.part"
    with part.open("wb") as file:
        np.savez(
            file, embeddings=encode_classes(create_text_encoder(text_space)), names=np.array(CLASS_NAMES)
        )
    part.replace(root / CLASSES_FILE)


def _apartment(seed: int) -> Apartment:
    from rgbd_perception.sources.synthetic.apartment import RoomConfig, generate_apartment

    return generate_apartment(seed, RoomConfig(rooms=1 + seed % MAX_ROOMS))


def _descriptions(apartment: Apartment, count: int) -> list[list[str]]:
    """``count`` random descriptions of every instance, in the order of their ids (1, 2, ...)."""
    rng = np.random.default_rng((apartment.seed, 11))
    return [
        [describe(instance.class_name, instance.attributes, rng) for _ in range(count)]
        for instance in apartment.instances
    ]


def _views(
    apartment: Apartment, views: ViewsConfig
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint16]]]:
    """Color (H, W, 3) uint8, depth (H, W) uint16 mm and instance ids (H, W) of random views."""
    from rgbd_perception.sources.synthetic.path import random_views
    from rgbd_perception.sources.synthetic.render import Renderer

    renderer = Renderer(apartment)
    rng = np.random.default_rng((apartment.seed, 12))
    cameras = random_views(apartment, views.views_per_apartment, rng, views.size, renderer)
    for index, camera in enumerate(cameras):
        rendered = renderer.render(camera, (apartment.seed, 13, index))
        depth = np.rint(np.minimum(rendered.depth, 65.0) * 1000.0).astype(np.uint16)
        yield rendered.color, depth, rendered.instance


def _encode(encoder: TextEncoder, texts: list[list[str]]) -> NDArray[np.float32]:
    """(R, K, D) embeddings of R lists of K texts; every different text is encoded once."""
    different = sorted({text for group in texts for text in group})
    vectors = encoder.encode(different)
    place = {text: index for index, text in enumerate(different)}
    return vectors[np.array([[place[text] for text in group] for group in texts])]


_worker_encoder: TextEncoder | None = None


def _start_worker(text_space: str) -> None:
    """One text encoder for all shards of a process."""
    global _worker_encoder
    import cv2

    from rgbd_perception.text import create_text_encoder

    cv2.setNumThreads(1)  # it has no variable for that
    _worker_encoder = create_text_encoder(text_space)


def _run_job(job: Job) -> None:
    assert _worker_encoder is not None
    render_shard(job, _worker_encoder)
