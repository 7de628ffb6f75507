"""What runs a network. There is one backend so far, torch; ``auto`` takes the fastest one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from rgbd_perception.models import ModelOutput
    from rgbd_perception.models.network import Network

AVAILABLE = ("torch",)


class Backend(Protocol):
    """A network ready to run."""

    name: str

    def __call__(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        """Normalised inputs (1, 3, H, W) and (1, 1, H, W) on the CPU -> outputs."""

    def close(self) -> None:
        """Free what it holds."""


def create_backend(name: str, model: Network) -> Backend:
    """Make ``model`` ready. Raises UserError for a backend that does not exist."""
    if name not in ("auto", *AVAILABLE):
        raise UserError(f"expected the backend auto or {', '.join(AVAILABLE)}, got {name!r}")
    return TorchBackend(model)


class TorchBackend:
    """PyTorch, on a CUDA device where there is one, else on the CPU."""

    name = "torch"

    def __init__(self, model: Network) -> None:
        import torch

        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model.to(device=self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._model: Network | None = model.fused()

    def __call__(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        if self._model is None:
            raise RuntimeError("the predictor has been closed")
        return self._model(rgb.to(self._device), depth.to(self._device))

    def close(self) -> None:
        self._model = None
