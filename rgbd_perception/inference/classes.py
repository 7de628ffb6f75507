"""What the labels of a prediction mean, and the rows that embeddings are compared with for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.backends.base import NetworkFacts
from rgbd_perception.text import create_text_encoder
from rgbd_perception.text.prompts import embed_class_names
from rgbd_perception.vocabulary import Vocabulary


class Classes(NamedTuple):
    """Names of the labels, and how embeddings become labels.

    text_embeddings  (C, D) of the names, for a map; None where there are none at hand
    rows             (C, D) whose products with unit embeddings are logits; None where it has a classifier
    """

    vocabulary: Vocabulary
    text_embeddings: NDArray[np.float32] | None
    rows: NDArray[np.float32] | None


def make_classes(facts: NetworkFacts, labels: Sequence[str] | None) -> Classes:
    """The classes ``labels`` by text (a text encoder is loaded), None: those that the model has of its own.

    Raises UserError where the model has none, has a fixed list, or the encoder cannot be had.
    """
    if not facts.has_embeddings:
        if labels is not None:
            raise UserError(
                f"{facts.model_id} has a fixed list of {len(facts.labels)} classes: leave out the labels"
            )
        return Classes(Vocabulary(facts.labels), None, None)
    if labels is not None:
        vocabulary = Vocabulary(labels, facts.text_space)
        texts = embed_class_names(create_text_encoder(facts.text_space), vocabulary.names)
        return Classes(vocabulary, texts, facts.temperature * texts)
    if facts.class_embeddings is None and facts.classifier is None:
        raise UserError(f"{facts.model_id} has no class names of its own: name the classes (labels=...)")
    vocabulary = Vocabulary(facts.labels, facts.text_space)
    if facts.classifier is not None:
        return Classes(vocabulary, facts.class_embeddings, facts.classifier)
    assert facts.class_embeddings is not None
    return Classes(vocabulary, facts.class_embeddings, facts.temperature * facts.class_embeddings)
