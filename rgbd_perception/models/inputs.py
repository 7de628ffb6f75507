"""What a network says to inputs that it cannot take."""

from __future__ import annotations

from torch import Tensor


def check_inputs(rgb: Tensor, depth: Tensor, multiple: int) -> None:
    """Raise ValueError unless ``rgb`` is (B, 3, H, W) and ``depth`` (B, 1, H, W) with allowed H and W."""
    for name, tensor, channels in (("rgb", rgb, 3), ("depth", depth, 1)):
        if tensor.ndim != 4 or tensor.shape[1] != channels:
            raise ValueError(f"expected {name} of shape (B, {channels}, H, W), got {tuple(tensor.shape)}")
    if rgb.shape[0] != depth.shape[0] or rgb.shape[2:] != depth.shape[2:]:
        raise ValueError(
            "expected rgb and depth of the same batch and size, "
            f"got {tuple(rgb.shape)} and {tuple(depth.shape)}"
        )
    batch, (height, width) = rgb.shape[0], rgb.shape[2:]
    if not batch:
        raise ValueError("expected at least one image, got a batch of 0")
    if not height or not width or height % multiple or width % multiple:
        raise ValueError(f"expected height and width to be multiples of {multiple}, got {height} x {width}")
