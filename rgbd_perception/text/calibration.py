"""From cosines to class probabilities.

Raw cosines between an embedding and class names lie close together: a softmax over them is nearly flat. Multiplied
by a temperature they become logits whose softmax says how sure the network is. The temperature belongs to the
weights and stands in their file; these values are for weights that bring none.
"""

from __future__ import annotations

SENTENCE_TEMPERATURE = 20.0
CLIP_TEMPERATURE = 100.0
"""The logit scale that CLIP itself was trained with (Radford et al. 2021, arXiv:2103.00020, section 2.5)."""


def default_temperature(text_space: str) -> float:
    """Factor from cosine to logit for class masks."""
    return CLIP_TEMPERATURE if text_space.startswith("open_clip:") else SENTENCE_TEMPERATURE
