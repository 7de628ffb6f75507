"""The grammar of relations: what is taken apart, what stays a plain text, what is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.relations import Relation, parse_question, things_in
from rgbd_perception.sources.synthetic.concepts import ABSENT_TEXTS, CONCEPTS
from rgbd_perception.sources.synthetic.truth import NOT_ASKED


@pytest.mark.parametrize(
    ("text", "things", "relations"),
    [
        ("cup on the table", ["cup", "table"], ["on"]),
        ("the chair next to the bed", ["chair", "bed"], ["next to"]),
        ("chair next to bed", ["chair", "bed"], ["next to"]),
        ("something to sit on near the window", ["something to sit on", "window"], ["near"]),
        (
            "a place to put things on in the corner",
            ["place to put things on", "corner"],
            ["in"],
        ),
        ("book in the shelf", ["book", "shelf"], ["in"]),
        ("Lamp above the sofa!", ["Lamp", "sofa"], ["above"]),
        ("box underneath a desk", ["box", "desk"], ["under"]),
        ("a vase on top of the cabinet", ["vase", "cabinet"], ["on"]),
        ("the mug close to my laptop", ["mug", "laptop"], ["near"]),
        ("chair by the window", ["chair", "window"], ["next to"]),
        ("where is the cup that is standing right on the table?", ["cup", "table"], ["on"]),
        ("find a red cup on the table near the window", ["red cup", "table", "window"], ["on", "near"]),
    ],
)
def test_questions_are_taken_apart(text, things, relations):
    question = parse_question(text)
    assert list(question.things) == things
    assert [relation.value for relation in question.relations] == relations


@pytest.mark.parametrize(
    "text",
    [
        "chair",
        "something to sit on",
        "something to sit next to",
        "a place to put things on",
        "turn on",
        "portrait on canvas",
        "bestseller by a famous author",
        "a ceiling above",
        "an opening that lets daylight in",
        "the top of a room",
    ],
)
def test_plain_texts_stay_as_they_are(text):
    question = parse_question(text)
    assert question.things == (text,)
    assert question.relations == ()


def test_no_text_of_the_evaluation_is_taken_apart():
    asked = [concept for concept in CONCEPTS if concept.name not in NOT_ASKED]
    texts = [text for concept in asked for text in (concept.name, *concept.heldout)]
    assert all(parse_question(text).relations == () for text in (*texts, *ABSENT_TEXTS))


def test_quotes_keep_a_text_whole():
    assert parse_question('"a picture hanging on the wall"').things == ("a picture hanging on the wall",)


def test_a_missing_article_is_mentioned():
    assert "'on the table'" in parse_question("cup on table").note
    assert parse_question("something to sit on").note == ""


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("cup on the", "on the"),
        ("cup next to", "next to"),
        ("cup on the table near", "near"),
        ("cup on the near the window", "on the"),
        ("on the table", "on"),
        (", on the table", ", on"),
        ("cup near ,", "near ,"),
        ("what is on the table?", "what is on"),
        ("something next to the bed", "something next to"),
        ("chair behind the sofa", "behind"),
        ("chair to the left of the table", "to the left of"),
        ("cup on the left of the table", "on the left of"),
        ("cup not on the table", "not on"),
        ("cup on the table and next to the lamp", "and"),
        ("a in the b in the c in the d in the e", "in the e"),
    ],
)
def test_what_is_not_understood_is_named(text, part):
    with pytest.raises(UserError) as refused:
        parse_question(text)
    assert str(refused.value).startswith(f"'{part}' in '{text}' is not understood")
    assert "\n" not in str(refused.value)


THING = st.sampled_from(["cup", "red cup", "place to sit", "something to sit on", "lamp", "book shelf"])
MEANING = {"by": "next to", "beside": "next to", "over": "above", "on top of": "on"}
WORDS = st.sampled_from(["on", "in", "under", "above", "near", "next to", *MEANING])


@given(THING, st.lists(st.tuples(WORDS, THING), min_size=1, max_size=3))
def test_what_is_put_together_is_taken_apart_again(first, rest):
    text = " ".join(["the", first, *(f"{relation} the {thing}" for relation, thing in rest)])
    question = parse_question(text)
    assert question.things == (first, *(thing for _, thing in rest))
    assert question.relations == tuple(Relation(MEANING.get(word, word)) for word, _ in rest)
    assert things_in([text]) == list(question.things)


@given(
    st.lists(
        st.sampled_from(["cup", "on", "the", "next", "to", "and", "not", "is", "in", "a", ",", '"', "?"])
    )
)
def test_any_words_give_a_question_or_one_line(words):
    text = " ".join(words)
    try:
        question = parse_question(text)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert len(question.things) == len(question.relations) + 1
    assert question.things == (text,) or all(question.things) or text.startswith('"')
