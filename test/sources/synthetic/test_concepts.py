"""The words of the rooms: held-out texts are unseen, yet nearest to their class; absent things are far."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from rgbd_perception.sources.synthetic.concepts import (
    ABSENT_TEXTS,
    CLASS_NAMES,
    COLORS,
    CONCEPTS,
    MATERIALS,
    SIZES,
    describe,
)
from rgbd_perception.text import create_text_encoder

STOP_WORDS = frozenset(
    re.findall(
        "[a-z]+", "a an the to of on in for with at by is my your that or something somewhere take place"
    )
)


def _content_words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower())) - STOP_WORDS


@pytest.fixture(scope="module")
def class_means() -> NDArray[np.float32]:
    """(38, D) unit mean embeddings of the training texts."""
    encoder = create_text_encoder()
    rows = np.asarray([encoder.encode(concept.texts).mean(axis=0) for concept in CONCEPTS])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_there_are_38_classes_five_of_them_structure() -> None:
    assert len(CLASS_NAMES) == len(set(CLASS_NAMES)) == 38
    assert CLASS_NAMES[:5] == ("wall", "floor", "ceiling", "door", "window")
    assert len(ABSENT_TEXTS) >= 20


def test_held_out_texts_share_no_content_word_with_training() -> None:
    training = {word for concept in CONCEPTS for text in concept.texts for word in _content_words(text)}
    training |= {*SIZES, *COLORS, *MATERIALS}
    for concept in CONCEPTS:
        for text in concept.heldout:
            assert not _content_words(text) & training, f"{concept.name}: {text}"


def test_held_out_texts_are_nearest_to_their_class(class_means: NDArray[np.float32]) -> None:
    encoder = create_text_encoder()
    for index, concept in enumerate(CONCEPTS):
        if concept.heldout:
            cosines = encoder.encode(concept.heldout) @ class_means.T
            own = cosines[:, index].copy()
            cosines[:, index] = -1.0
            assert (own > cosines.max(axis=1) + 0.05).all(), concept.name


def test_absent_things_are_further_than_every_held_out_text(class_means: NDArray[np.float32]) -> None:
    encoder = create_text_encoder()
    absent = (encoder.encode(ABSENT_TEXTS) @ class_means.T).max()
    present = min(
        float((encoder.encode(concept.heldout) @ class_means[index]).min())
        for index, concept in enumerate(CONCEPTS)
        if concept.heldout
    )
    assert absent < present


def test_descriptions_depend_on_the_generator_only_and_mention_their_class() -> None:
    concept = next(concept for concept in CONCEPTS if concept.name == "sofa")
    texts = [describe("sofa", ("large", "red"), np.random.default_rng(seed)) for seed in range(60)]
    assert texts == [describe("sofa", ("large", "red"), np.random.default_rng(seed)) for seed in range(60)]
    assert any("red" in text for text in texts)
    assert all(any(known in text for known in concept.texts) for text in texts)
    with pytest.raises(KeyError):
        describe("spaceship", (), np.random.default_rng(0))
