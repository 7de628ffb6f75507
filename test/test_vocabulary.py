"""A vocabulary has an identity that changes with every name, the order and the text space."""

from __future__ import annotations

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.vocabulary import Vocabulary, pascal_colors


def test_the_id_depends_on_names_order_and_text_space() -> None:
    ids = {
        Vocabulary(["wall", "floor"]).id,
        Vocabulary(["floor", "wall"]).id,
        Vocabulary(["wall", "floor"], "some-encoder").id,
        Vocabulary(["wall floor"]).id,
    }
    assert len(ids) == 4
    assert Vocabulary(("wall", "floor")).id == Vocabulary(["wall", "floor"]).id


def test_empty_and_repeated_names_are_refused() -> None:
    with pytest.raises(UserError, match="at least one"):
        Vocabulary([])
    with pytest.raises(UserError, match="more than once: wall"):
        Vocabulary(["wall", "floor", "wall"])


def test_names_are_not_all_compared_with_each_other() -> None:
    """Tens of thousands of names would hold up the node that is given them for minutes."""
    comparisons = 0

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal comparisons
            comparisons += 1
            return str.__eq__(self, other)

    names = [Name(f"thing {index}") for index in range(1000)]
    assert len(Vocabulary(names)) == 1000
    assert comparisons < 10 * len(names)


def test_colors_are_those_of_the_pascal_voc_map() -> None:
    colors = pascal_colors(40)
    np.testing.assert_array_equal(colors[[0, 1, 39]], [[128, 0, 0], [0, 128, 0], [64, 0, 64]])
    assert len(np.unique(pascal_colors(255), axis=0)) == 255
