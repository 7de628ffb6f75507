"""A generated apartment as a source of frames, rendered when they are asked for."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

from rgbd_perception.errors import UserError
from rgbd_perception.frame import RgbdFrame
from rgbd_perception.sources.base import FrameTruth, RecordedSource
from rgbd_perception.sources.options import SourceOptions
from rgbd_perception.sources.synthetic.apartment import Apartment, RoomConfig, generate_apartment
from rgbd_perception.sources.synthetic.render import Rendered, Renderer, View
from rgbd_perception.sources.synthetic.truth import Visibility, ground_truth
from rgbd_perception.sources.synthetic.walk import camera_path

_SMALLEST, _LARGEST = 32, 4096


class SyntheticSource(RecordedSource):
    """``frames`` views of one walk through the apartment of ``seed``. The world is z-up.

    size          (H, W) of the images
    rooms         number of rooms
    exact_depth   depth as the geometry has it, without the sensor's noise and holes
    options       ``rate`` (frames a second) and ``max_depth`` are used

    Raises UserError for numbers that make no sense.
    """

    def __init__(
        self,
        seed: int = 0,
        frames: int = 300,
        size: tuple[int, int] = (240, 320),
        rooms: int = 2,
        exact_depth: bool = False,
        config: RoomConfig | None = None,
        options: SourceOptions | None = None,
    ) -> None:
        super().__init__(f"synthetic:{seed}", options or SourceOptions())
        if seed < 0:
            raise UserError(f"expected a seed of 0 or more, got {seed}")
        if frames < 1:
            raise UserError(f"expected at least one frame, got {frames}")
        if not all(_SMALLEST <= side <= _LARGEST for side in size):
            raise UserError(
                f"expected images of {_SMALLEST} to {_LARGEST} pixels a side, got {size[0]}x{size[1]}"
            )
        self.seed = seed
        self.size = size
        self._frames = frames
        self._exact_depth = exact_depth
        self._config = config or RoomConfig(rooms=rooms)
        # label and color of a frame are often asked for one after the other
        self._render = lru_cache(maxsize=4)(self._render_now)

    @cached_property
    def apartment(self) -> Apartment:
        return generate_apartment(self.seed, self._config)

    @cached_property
    def views(self) -> list[View]:
        """Camera and pose of every frame."""
        return camera_path(self.apartment, self._frames, self.seed, self.size)

    def __len__(self) -> int:
        return self._frames

    def stated_up(self) -> str:
        return "z"

    def load(self, index: int) -> RgbdFrame:
        """Frame ``index``; rendered on demand, the same bytes every time."""
        view, rendered = self.views[index], self._render(index)
        depth = rendered.depth
        return RgbdFrame(
            color=rendered.color,
            depth=depth * (depth <= self.options.max_depth),
            intrinsics=view.intrinsics,
            stamp_ns=round(index * 1e9 / self.options.rate),
            frame_id="camera",
            pose=view.pose,
        )

    def truth(self, index: int) -> FrameTruth:
        """Class and instance of every pixel of frame ``index``."""
        rendered = self._render(index)
        return FrameTruth(label=rendered.label, instance=rendered.instance)

    def ground_truth(self) -> dict[str, Any]:
        """What ``objects.json`` holds; casts the rays of every frame once to see what is visible."""
        seen = Visibility(self.apartment)
        for view in self.views:
            seen.add(self._renderer.geometry(view)[1])
        return ground_truth(self.apartment, seen)

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(self.apartment)

    def _render_now(self, index: int) -> Rendered:
        return self._renderer.render(self.views[index], (self.seed, 7, index), self._exact_depth)
