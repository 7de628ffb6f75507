"""Generated rooms through the protocol: rendered on demand, as folders, and as shards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.generated import open_generated
from rgbd_perception.training.datasets.opening import open_views
from rgbd_perception.training.datasets.views import IGNORED
from rgbd_perception.training.shards import open_shards
from rgbd_perception.training.view_outputs import label_image
from test.training.datasets import minis
from test.training.tiny import CLASSES, write_tiny_shards


@pytest.mark.slow
def test_a_written_room_is_the_generated_one(tmp_path: Path) -> None:
    from rgbd_perception.sources.synthetic import SyntheticSource, write_folder

    size = (48, 64)
    generated = open_generated("synthetic:3", frames=2, size=size)
    write_folder(SyntheticSource(3, frames=2, size=size), tmp_path / "room", progress=False)
    written = open_views(tmp_path / "room", "all")
    assert len(written) == len(generated) == 2
    assert written.info.classes == generated.info.classes
    for index in range(2):
        ours, theirs = generated.view(index), written.view(index)
        assert np.array_equal(ours.color, theirs.color)
        assert np.array_equal(ours.semantic, theirs.semantic)
        assert ours.instance is not None
        assert theirs.instance is not None
        assert np.array_equal(ours.instance, theirs.instance)
        assert ours.depth is not None
        assert theirs.depth is not None
        assert np.allclose(ours.depth, theirs.depth, atol=6e-4)
        assert ours.intrinsics is not None
        assert theirs.intrinsics is not None
        assert ours.intrinsics.fx == pytest.approx(theirs.intrinsics.fx)
        assert ours.semantic[ours.semantic != IGNORED].min() >= 0


def test_shards_give_classes_objects_and_their_embeddings(tmp_path: Path) -> None:
    write_tiny_shards(tmp_path / "train", 2)
    views = open_views(tmp_path, "train")
    assert views.info.classes == CLASSES
    assert len(views) == 8
    shard = open_shards(tmp_path / "train")[1]
    view = views.view(5)
    assert view.name == "train/shard_00001/1"
    assert np.array_equal(view.semantic, label_image(shard, shard.view(1)))
    assert view.depth is not None
    assert np.allclose(view.depth, shard.view(1).depth / 1000.0)
    assert view.embeddings is not None
    assert view.segments is not None
    assert view.embeddings.ids.tolist() == np.unique(view.segments[view.segments > 0]).tolist()
    assert view.embeddings.vectors.shape == (len(view.embeddings.ids), 2, 384)
    assert np.array_equal(view.embeddings.vectors[0], shard.embeddings[view.embeddings.ids[0] - 1])
    with pytest.raises(IndexError):
        views.view(8)


def test_rooms_of_different_classes_are_not_mixed(tmp_path: Path) -> None:
    minis.write_rooms(tmp_path)
    (tmp_path / "seed-2" / "objects.json").write_text(json.dumps({"label_names": ["wall"]}))
    with pytest.raises(UserError, match="other classes"):
        open_views(tmp_path, "all")


def test_a_seed_is_a_number() -> None:
    with pytest.raises(UserError, match="synthetic:SEED"):
        open_views(Path("synthetic:x"), "all")
    with pytest.raises(UserError, match="no split 'train'"):
        open_views(Path("synthetic:1"), "train")
