"""What a network says to inputs that it cannot take."""

from __future__ import annotations

from torch import Tensor


def check_inputs(rgb: Tensor, depth: Tensor) -> None:
    """Raise ValueError unless ``rgb`` is (B, 3, H, W) and ``depth`` (B, 1, H, W) with B at least 1."""
    for name, tensor, channels in (("rgb", rgb, 3), ("depth", depth, 1)):
        if tensor.ndim != 4 or tensor.shape[1] != channels:
            raise ValueError(f"expected {name} of shape (B, {channels}, H, W), got {tuple(tensor.shape)}")
    if rgb.shape[0] != depth.shape[0] or rgb.shape[2:] != depth.shape[2:]:
        raise ValueError(
            f"expected rgb and depth of one batch and size, got {tuple(rgb.shape)} and {tuple(depth.shape)}"
        )
    if not rgb.shape[0]:
        raise ValueError("expected at least one image, got a batch of 0")


def whole_patches(x: Tensor, patch: int, multiple: int) -> Tensor:
    """``x`` (B, C, H, W) without what is right of or below the last whole patch.

    Raises ValueError unless the rest is a multiple of ``multiple``.
    """
    height, width = (extent // patch * patch for extent in x.shape[2:])
    if not height or not width or height % multiple or width % multiple:
        up_to = f" (or up to {patch - 1} more)" if patch > 1 else ""
        raise ValueError(
            f"expected height and width to be multiples of {multiple}{up_to}, got {x.shape[2]} x {x.shape[3]}"
        )
    return x[:, :, :height, :width]
