"""Rendering to shards: repeatable, continued where it stopped, targets that belong to their objects."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES
from rgbd_perception.text import create_text_encoder
from rgbd_perception.training.class_targets import encode_classes
from rgbd_perception.training.render_shards import Job, load_classes, missing_jobs, render_all, render_shard
from rgbd_perception.training.shards import Shard, open_shards
from rgbd_perception.training.views_config import SplitConfig, ViewsConfig

TEXT_SPACE = "all-MiniLM-L6-v2"
VIEWS = ViewsConfig(
    size=(48, 64),
    views_per_apartment=2,
    apartments_per_shard=2,
    descriptions=2,
    train=SplitConfig(0, 3),
    validation=SplitConfig(10, 1),
    test=SplitConfig(20, 1),
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    root = tmp_path_factory.mktemp("shards")
    render_shard(Job(root / "shard_00000", (4,), VIEWS, TEXT_SPACE), create_text_encoder(TEXT_SPACE))
    return open_shards(root)[0]


def test_views_have_the_asked_size_and_labels(rendered: Shard) -> None:
    assert len(rendered) == VIEWS.views_per_apartment
    view = rendered.view(0)
    assert view.color.shape == (*VIEWS.size, 3)
    assert view.depth.shape == view.rows.shape == VIEWS.size
    assert view.depth.max() > 500
    assert view.rows.max() <= len(rendered.classes)
    assert (view.rows > 0).mean() > 0.9


def test_targets_are_unit_and_near_their_class(rendered: Shard) -> None:
    targets = rendered.embeddings.astype(np.float32)
    assert targets.shape == (len(rendered.classes), VIEWS.descriptions, 384)
    np.testing.assert_allclose(np.linalg.norm(targets, axis=2), 1.0, atol=2e-3)
    cosines = targets.mean(axis=1) @ encode_classes(create_text_encoder(TEXT_SPACE)).T
    assert (cosines.argmax(axis=1) == rendered.classes).mean() > 0.7


def test_the_same_seed_gives_the_same_shard(rendered: Shard, tmp_path: Path) -> None:
    render_shard(Job(tmp_path / "shard_00000", (4,), VIEWS, TEXT_SPACE), create_text_encoder(TEXT_SPACE))
    (again,) = open_shards(tmp_path)
    for index in range(len(rendered)):
        for first, second in zip(rendered.view(index), again.view(index), strict=True):
            np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(rendered.embeddings, again.embeddings)


def test_only_missing_shards_are_made_and_seeds_are_those_of_the_split(tmp_path: Path) -> None:
    jobs = missing_jobs(VIEWS, tmp_path, TEXT_SPACE)
    assert [job.seeds for job in jobs] == [(20,), (10,), (0, 1), (2,)]
    done = jobs[2].folder
    done.mkdir(parents=True)
    (done / "shard.json").write_text("{}")
    assert [job.seeds for job in missing_jobs(VIEWS, tmp_path, TEXT_SPACE)] == [(20,), (10,), (2,)]


def test_two_processes_render_what_one_does(rendered: Shard, tmp_path: Path) -> None:
    views = replace(VIEWS, apartments_per_shard=1, train=SplitConfig(4, 1), validation=SplitConfig(10, 0))
    before = dict(os.environ)
    render_all(views, tmp_path, TEXT_SPACE, processes=2)
    assert os.environ == before
    assert [len(open_shards(tmp_path / split)) for split in ("train", "test")] == [1, 1]
    (shard,) = open_shards(tmp_path / "train")
    np.testing.assert_array_equal(shard.view(0).color, rendered.view(0).color)
    np.testing.assert_allclose(shard.embeddings, rendered.embeddings, atol=2e-3)  # half floats
    assert load_classes(tmp_path).shape == (len(CLASS_NAMES), 384)


def test_every_class_has_its_own_embedding() -> None:
    embeddings = encode_classes(create_text_encoder(TEXT_SPACE))
    assert embeddings.shape == (len(CLASS_NAMES), 384)
    cosines = embeddings @ embeddings.T - np.eye(len(CLASS_NAMES))
    assert cosines.max() < 0.9
