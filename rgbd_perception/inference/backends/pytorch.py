"""PyTorch, on a CUDA device where there is one, else on the CPU: any network, any size of image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.inference.backends.base import BackendRequest, GridOutput, NetworkFacts, Unavailable
from rgbd_perception.inference.installed import is_installed
from rgbd_perception.inference.preprocess import clean_depth, normalize, pad_to_multiple

if TYPE_CHECKING:
    from torch import Tensor

    from rgbd_perception.inference.loading import LoadedNetwork
    from rgbd_perception.inference.weights import WeightsInfo
    from rgbd_perception.models.network import Network

INSTALL = "pip install torch"


def create(request: BackendRequest) -> TorchBackend:
    """Load the network. Raises Unavailable without torch or for an ONNX file, UserError without weights."""
    if str(request.model).endswith(".onnx"):
        raise Unavailable(f"{request.model} is not a weights file")
    if not is_installed("torch"):
        raise Unavailable(f"torch is not installed ({INSTALL})")
    import torch

    from rgbd_perception.inference.loading import load_network

    if request.threads:
        torch.set_num_threads(request.threads)
    return TorchBackend(load_network(request.model, request.untrained))


class TorchBackend:
    """The fused form of a network."""

    name = "torch"
    sizes: tuple[tuple[int, int], ...] | None = None

    def __init__(self, loaded: LoadedNetwork) -> None:
        import torch

        network, weights = loaded
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.on_cpu = self._device.type == "cpu"
        network.to(device=self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network: Network | None = network.fused()
        self._rows: Tensor | None = None
        self.facts = _facts(network, weights.info, weights.class_embeddings, weights.classifier)

    def set_classes(self, rows: NDArray[np.float32]) -> None:
        """See ``Backend``."""
        import torch

        self._rows = torch.from_numpy(rows).to(self._device)

    def __call__(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32], scores: bool = True
    ) -> GridOutput:
        """See ``Backend``; the scores are there in any case."""
        import torch

        from rgbd_perception.inference.postprocess import classify, compare_with_classes, normalize_scores

        if self._network is None:
            raise RuntimeError("the predictor has been closed")
        with torch.inference_mode():
            output = self._network(*self._inputs(color, depth))
            height, width = (-(-side // self.facts.stride) for side in color.shape[:2])
            if output.embedding is not None and self._rows is not None:
                grid = compare_with_classes(output.embedding[:, :, :height, :width], self._rows)
            elif output.logits is not None:
                grid = normalize_scores(output.logits[:, :, :height, :width])
            else:
                raise RuntimeError(f"{self.facts.model_id} has neither embeddings with classes nor scores")
            return GridOutput(grid.log_probability.numpy(), *classify(grid.log_probability), grid.embedding)

    def close(self) -> None:
        """See ``Backend``."""
        self._network = None

    def _inputs(self, color: NDArray[np.uint8], depth: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        import torch

        assert self._network is not None
        config = self._network.config
        # Views into messages and files cannot be written to, which torch warns about: those are copied.
        pixels = torch.from_numpy(np.require(color, requirements=["C", "W"])).to(self._device)
        metres = torch.from_numpy(clean_depth(depth)).to(self._device)
        inputs = normalize(pixels[None], metres[None], config.depth_mean, config.depth_std)
        rgb, normed = (pad_to_multiple(x, config.input_multiple, self._network.min_size) for x in inputs)
        return rgb, normed


def _facts(
    network: Network,
    info: WeightsInfo,
    class_embeddings: NDArray[np.float32] | None,
    classifier: NDArray[np.float32] | None,
) -> NetworkFacts:
    return NetworkFacts(
        model_id=info.model_id,
        text_space=info.text_space,
        labels=info.labels,
        temperature=info.temperature,
        has_embeddings=network.has_embeddings,
        input_size=network.config.input_size,
        stride=network.config.stride,
        class_embeddings=class_embeddings,
        classifier=classifier,
    )
