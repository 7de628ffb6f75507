"""Text towers of OpenCLIP: the text space of networks distilled from CLIP, as the published DVEFormer.

Optional: open_clip downloads OpenAI's weights the first time, under their own terms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.text.encoder import CachingTextEncoder
from rgbd_perception.text.open_clip_loader import load_open_clip_module

BATCH = 64


def load_open_clip(architecture: str, pretrained: str = "openai") -> CachingTextEncoder:
    """The text tower of ``architecture``, for instance "ViT-L-14-336", in float32 on the CPU.

    pretrained   a name that open_clip downloads, or a file with weights
    Raises UserError where open_clip is missing, does not know the architecture or cannot get its weights.
    """
    import torch

    open_clip = load_open_clip_module()
    # OpenAI's models were trained with an approximate GELU; open_clip has a variant of each name for it.
    variant = f"{architecture}-quickgelu"
    name = variant if pretrained == "openai" and variant in open_clip.list_models() else architecture
    if name not in open_clip.list_models():
        raise UserError(
            f"expected an architecture of open_clip, got {architecture!r}: see open_clip.list_models()"
        )
    try:
        model = open_clip.create_model(name, pretrained=pretrained, precision="fp32", device="cpu").eval()
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot load open_clip {name} with the weights {pretrained!r}: {error}") from error
    tokenize = open_clip.get_tokenizer(name)

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        with torch.inference_mode():
            parts = [
                model.encode_text(tokenize(list(texts[start : start + BATCH]))).numpy()
                for start in range(0, len(texts), BATCH)
            ]
        return np.concatenate(parts)

    dim = int(embed(["a"]).shape[1])
    return CachingTextEncoder(f"open_clip:{architecture}", dim, embed)
