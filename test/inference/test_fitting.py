"""Images of any size for networks that take a few: shrunk by whole numbers, with margins, never stretched."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.inference.fitting import MARGIN_COLOR, Fit, Fitter

NETWORK = (24, 32)
SIDES = st.integers(1, 200)


def images(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    color = np.arange(height * width * 3, dtype=np.uint32).reshape(height, width, 3) % 251
    return color.astype(np.uint8), np.full((height, width), 2.0, np.float32)


@given(SIDES, SIDES)
def test_a_network_of_one_size_always_gets_that_size(height: int, width: int) -> None:
    fitter = Fitter(NETWORK, (NETWORK,), "letterbox")
    factor = fitter.fit((height, width)).factor
    fitted = fitter(*images(height, width))
    color, depth = fitted.color, fitted.depth
    assert color.shape == (*NETWORK, 3) and depth.shape == NETWORK
    rows, columns = -(-height // factor), -(-width // factor)
    assert rows <= NETWORK[0] and columns <= NETWORK[1]
    assert (depth[:rows, :columns] == 2).all() and depth.sum() == 2 * rows * columns  # the margin has none
    assert (color[rows:] == MARGIN_COLOR).all() and (color[:, columns:] == MARGIN_COLOR).all()


def test_a_network_of_any_size_gets_the_images_themselves() -> None:
    color, depth = images(25, 31)
    found = Fitter(NETWORK, None, "letterbox")(color, depth)
    assert found.color is color and found.depth is depth


def test_the_smallest_canvas_that_holds_the_image() -> None:
    fitter = Fitter(NETWORK, (NETWORK, (24, 43), (48, 64)), "letterbox")
    assert fitter.fit((24, 42)) == Fit(1, (24, 43))
    assert fitter.fit((48, 86)) == Fit(2, None)


def test_a_camera_that_changes_its_resolution_in_flight() -> None:
    fitter = Fitter(NETWORK, (NETWORK,), "letterbox")
    for size in ((20, 30), (10, 10), (20, 30), (24, 32)):
        fitted = fitter(*images(*size))
        assert fitted.depth.sum() == 2 * size[0] * size[1]
        np.testing.assert_array_equal(fitted.color[: size[0], : size[1]], images(*size)[0])


def test_nobody_writes_to_images_that_are_held() -> None:
    fitter, (color, depth) = Fitter(NETWORK, (NETWORK,), "letterbox"), images(20, 30)
    held = [fitter(color + step, depth + step) for step in range(4)]
    for step, fitted in enumerate(held):
        np.testing.assert_array_equal(fitted.color[:20, :30], color + step)
        np.testing.assert_array_equal(fitted.depth[:20, :30], depth + step)


def test_memory_of_images_that_are_gone_is_used_again() -> None:
    fitter = Fitter(NETWORK, (NETWORK,), "letterbox")
    held = deque((fitter(*images(20, 30)) for _ in range(2)), maxlen=2)  # one runs, one waits
    canvases = {}
    for _ in range(20):
        held.append(fitter(*images(20, 30)))
        canvases[id(held[-1].color)] = held[-1].color
    assert len(canvases) == 3, "and one is being prepared"


def test_threads_share_no_canvas() -> None:
    fitter = Fitter(NETWORK, (NETWORK,), "letterbox")

    def fit(step: int) -> bool:
        color, depth = images(20, 30 - step % 2)
        fitted = fitter(color, depth + step)
        return bool((fitted.depth[:20, : depth.shape[1]] == 2 + step).all())

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(fit, range(2000)))


def test_rejecting_says_what_would_help() -> None:
    fitter = Fitter(NETWORK, (NETWORK,), "reject")
    assert fitter.fit((48, 64)) == Fit(2, None)
    with pytest.raises(
        FrameDropped, match="25x32 become 25x32, the network takes 24x32: export it"
    ) as caught:
        fitter(*images(25, 32))
    assert caught.value.reason == "size_mismatch"
    with pytest.raises(UserError, match="expected the size policy letterbox or reject, got 'stretch'"):
        Fitter(NETWORK, None, "stretch")  # type: ignore[arg-type]
