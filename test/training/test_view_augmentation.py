"""Published augmentation, with the authors' defects and without."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.training.color_jitter import blur, jitter_hsv, jitter_tones
from rgbd_perception.training.crops import CropConfig
from rgbd_perception.training.datasets.views import IGNORED, LabelledView
from rgbd_perception.training.view_augmentation import (
    Augmentation,
    DveformerAugmentation,
    GeminiAugmentation,
    RoomsAugmentation,
    TokenFusionAugmentation,
)
from test.training.datasets.made import made_view

SIZE = (32, 48)
RECIPES: dict[str, Augmentation] = {
    "dveformer": DveformerAugmentation(SIZE),
    "gemini": GeminiAugmentation(SIZE),
    "gemini as published": GeminiAugmentation(SIZE, as_published=True),
    "tokenfusion": TokenFusionAugmentation(SIZE, short_side=24),
    "tokenfusion as published": TokenFusionAugmentation(SIZE, short_side=24, as_published=True),
    "rooms": RoomsAugmentation(CropConfig(SIZE, (0.7, 1.3))),
}
seeds = st.integers(0, 10_000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", sorted(RECIPES))
@given(seed=seeds, height=st.integers(20, 90), width=st.integers(20, 90))
def test_a_recipe_gives_its_size_and_keeps_labels_together(
    name: str, seed: int, height: int, width: int
) -> None:
    result = RECIPES[name](made_view(seed, (height, width)), rng(seed))
    assert result.shape == SIZE
    assert result.color.dtype == np.uint8
    assert result.depth is not None
    assert result.instance is not None
    assert result.depth.dtype == np.float32
    assert result.depth.shape == result.semantic.shape == result.instance.shape == SIZE
    assert result.intrinsics is not None
    assert (result.intrinsics.height, result.intrinsics.width) == SIZE
    labelled = result.semantic != IGNORED
    assert (result.instance[labelled] == result.semantic[labelled]).all()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_follows_its_random_numbers(name: str) -> None:
    view = made_view()
    first, again, other = (RECIPES[name](view, rng(seed)) for seed in (4, 4, 5))
    assert np.array_equal(first.color, again.color)
    assert np.array_equal(first.semantic, again.semantic)
    assert not np.array_equal(first.color, other.color)
    assert np.array_equal(view.color, made_view().color)  # the view itself is not changed


@pytest.mark.parametrize("name", ["dveformer", "gemini", "tokenfusion"])
def test_corrected_recipes_invent_no_depth(name: str) -> None:
    view = made_view()
    for seed in range(20):
        depth = RECIPES[name](view, rng(seed)).depth
        assert set(np.unique(depth)) <= {0.0, 1.0, 2.0, 3.0, 4.0}


def test_the_published_recipe_interpolates_depth() -> None:
    view = made_view()
    depths = [RECIPES["gemini as published"](view, rng(seed)).depth for seed in range(5)]
    assert any(not np.isin(depth, [0.0, 1.0, 2.0, 3.0, 4.0]).all() for depth in depths)


def bright_view() -> LabelledView:
    view = made_view()
    return replace(view, color=np.full_like(view.color, 248))


def test_the_published_jitter_turns_images_black_and_the_corrected_one_does_not() -> None:
    """Measured on the official transform: an image with maximum 248 came out with maximum 1."""
    recipe = GeminiAugmentation(SIZE, scale=(1.0, 1.0), jitter=1.0, blur=0.0)
    for seed in range(10):
        assert recipe(bright_view(), rng(seed)).color.max() > 100
        published = replace(recipe, as_published=True)
        assert published(bright_view(), rng(seed)).color.max() <= 1
        assert replace(published, byte_images=True)(bright_view(), rng(seed)).color.max() > 100


def test_one_fifth_of_the_images_is_jittered() -> None:
    recipe = GeminiAugmentation(SIZE, as_published=True)
    dark = [recipe(bright_view(), rng(seed)).color.max() <= 1 for seed in range(400)]
    assert 0.13 < np.mean(dark) < 0.27


def test_only_the_published_window_starts_one_pixel_too_far() -> None:
    view = replace(made_view(shape=SIZE), semantic=np.zeros(SIZE, np.int16))
    recipe = GeminiAugmentation(SIZE, scale=(1.0, 1.0))
    published = replace(recipe, as_published=True)
    lost = [int((published(view, rng(seed)).semantic == IGNORED).sum()) for seed in range(30)]
    assert set(lost) == {0, SIZE[0], SIZE[1], SIZE[0] + SIZE[1] - 1}
    assert not any((recipe(view, rng(seed)).semantic == IGNORED).any() for seed in range(30))


def test_the_short_side_of_gemini_is_the_height_of_the_window_times_the_ratio() -> None:
    view = made_view(shape=(40, 60))
    half = GeminiAugmentation(SIZE, scale=(0.5, 0.5))(view, rng())
    assert half.intrinsics is not None
    assert half.intrinsics.fx == pytest.approx(50.0 * 24 / 60)  # 40 x 60 became 16 x 24
    assert (half.semantic[16:] == IGNORED).all()
    assert not half.color[16:].any()
    assert (half.semantic[:, 24:] == IGNORED).all()


def test_tokenfusion_pads_color_with_the_mean_and_depth_only_as_published() -> None:
    view = made_view(shape=(24, 30))
    recipe = TokenFusionAugmentation((60, 60), scale=(1.0, 1.0), short_side=20)
    padded, published = recipe(view, rng()), replace(recipe, as_published=True)(view, rng())
    assert padded.color[0, 0].tolist() == [124, 116, 104] or padded.color[0, 0].tolist() == [123, 116, 103]
    assert padded.depth is not None
    assert published.depth is not None
    assert padded.depth[0, 0] == 0
    assert published.depth[0, 0] == pytest.approx(0.1145, abs=1e-3)
    assert padded.semantic[0, 0] == IGNORED


def test_dveformer_enlarges_small_images_to_the_window() -> None:
    result = DveformerAugmentation((48, 64))(made_view(shape=(20, 30)), rng())
    assert (result.semantic != IGNORED).any()
    assert result.depth is not None
    assert (result.depth > 0).all()  # nothing is padded


@given(seed=seeds)
def test_hue_goes_round_and_value_is_clipped(seed: int) -> None:
    colors = np.array([[[255, 0, 0], [0, 255, 0], [10, 10, 250], [0, 0, 0], [255, 255, 255]]], np.uint8)
    result = jitter_hsv(colors, 10, 1, 1, rng(seed))
    hues = [cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[0, :3, 0].astype(int) for image in (colors, result)]
    turned = (hues[1] - hues[0] + 90) % 180 - 90
    assert np.ptp(turned) <= 1  # all by the same offset
    assert -10 <= turned[0] <= 9
    assert result[0, 3].max() <= 1
    assert result[0, 4].min() >= 253


def test_offsets_of_the_hue_are_those_of_the_authors() -> None:
    red = np.full((1, 1, 3), (255, 0, 0), np.uint8)
    hues = set()
    for seed in range(400):
        changed = jitter_hsv(red, 10, 1, 1, rng(seed))
        hues.add((int(cv2.cvtColor(changed, cv2.COLOR_RGB2HSV)[0, 0, 0]) + 90) % 180 - 90)
    assert (min(hues), max(hues)) == (-10, 9)


def test_tones_change_as_torchvision_changes_them() -> None:
    """Worked out by hand for two grey pixels, 100 and 200: brightness 1.2, contrast 0.5, saturation any."""
    image = np.array([[[100] * 3, [200] * 3]], np.uint8)
    result = jitter_tones(image, (1.2, 0.5, 1.4))
    # 120 and 240, their mean 180; half way towards it 150 and 210; grey has no saturation
    assert np.abs(result.astype(int) - [[[150] * 3, [210] * 3]]).max() <= 1
    colored = jitter_tones(np.array([[[200, 100, 50]]], np.uint8), (1.0, 1.0, 0.0))
    assert np.abs(colored.astype(int) - round(0.2989 * 200 + 0.587 * 100 + 0.114 * 50)).max() <= 1


def test_blur_keeps_the_mean_and_lowers_edges() -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 4] = 255
    blurred = blur(image)
    weight = np.exp(-0.5 / 0.8**2)
    assert blurred[4, 4, 0] == pytest.approx(255 / (1 + 2 * weight) ** 2, abs=1.5)
    assert blurred[4, 5, 0] == pytest.approx(255 * weight / (1 + 2 * weight) ** 2, abs=1.5)
    assert not blurred[4, 6].any()


def test_rooms_lose_a_modality_so_often() -> None:
    recipe = RoomsAugmentation(CropConfig(SIZE, (0.7, 1.3)), drop_depth=0.5, drop_color=0.0)
    depths = [recipe(made_view(), rng(seed)).depth for seed in range(100)]
    assert 30 < sum(depth is not None and not depth.any() for depth in depths) < 70
    without = replace(made_view(), depth=None)
    assert recipe(without, rng()).depth is None
