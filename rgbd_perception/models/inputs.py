"""What a network says to inputs that it cannot take."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rgbd_perception.errors import UserError

COLOR_CHANNELS = 3


class InputError(UserError, ValueError):
    """Images of a shape or type that a network cannot take; the message says what it expects."""


def check_images(
    images: Mapping[str, Tensor], extra_channels: tuple[int, ...] = (1,), min_size: int = 1
) -> None:
    """Raise InputError unless a network can take these images, by name, color first.

    Color is (B, 3, H, W), each other image (B, C, H, W) with C one of ``extra_channels``. All have the same
    B, which is not 0, the same size of at least ``min_size`` x ``min_size``, and finite floats.
    """
    first, *_ = images.values()
    for index, (name, image) in enumerate(images.items()):
        channels = extra_channels if index else (COLOR_CHANNELS,)
        if image.ndim != 4 or image.shape[1] not in channels:
            wanted = " or ".join(map(str, channels))
            raise InputError(f"expected {name} of shape (B, {wanted}, H, W), got {tuple(image.shape)}")
        if not image.is_floating_point():
            raise InputError(f"expected {name} as normalised floating-point values, got {image.dtype}")
        if image.shape[0] != first.shape[0] or image.shape[2:] != first.shape[2:]:
            shapes = " and ".join(str(tuple(other.shape)) for other in (first, image))
            raise InputError(f"expected {' and '.join(images)} of one batch and size, got {shapes}")
    if not first.shape[0]:
        raise InputError("expected at least one image, got a batch of 0")
    if min(first.shape[2:]) < min_size:
        size = " x ".join(map(str, first.shape[2:]))
        raise InputError(f"expected images of at least {min_size} x {min_size} pixels, got {size}")
    for name, image in images.items():
        if _can_be_looked_at(image) and not torch.isfinite(image).all():
            raise InputError(
                f"expected finite values in {name}, got NaN or infinite ones: missing depth is 0, not NaN"
            )


def _can_be_looked_at(image: Tensor) -> bool:
    """On another device a look at the values would make the CPU wait; a graph that is recorded has none."""
    recorded = torch.jit.is_tracing() or torch.compiler.is_compiling()
    return image.device.type == "cpu" and not recorded


def whole_patches(x: Tensor, patch: int, multiple: int) -> Tensor:
    """``x`` (B, C, H, W) without what is right of or below the last whole patch.

    Raises InputError unless the rest is a multiple of ``multiple``.
    """
    height, width = (extent // patch * patch for extent in x.shape[2:])
    if not height or not width or height % multiple or width % multiple:
        up_to = f" (or up to {patch - 1} more)" if patch > 1 else ""
        raise InputError(
            f"expected height and width to be multiples of {multiple}{up_to}, got {x.shape[2]} x {x.shape[3]}"
        )
    return x[:, :, :height, :width]
