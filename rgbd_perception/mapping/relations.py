"""Relations in words: what "the cup on the table near the window" asks for.

    question  :=  thing { relation thing }        up to three relations; each thing is placed by the next one
    thing     :=  [ determiner ] words            determiners are dropped: the, a, an, this, my, ...
    relation  :=  next to   "next to", "beside", "alongside", "adjacent to", "by" (1, 2)
               |  on        "on top of", "atop", "on" (1), "upon" (1)
               |  under     "underneath", "beneath", "under" (1), "below" (1)
               |  above     "above" (1), "over" (1)
               |  in        "inside", "inside of", "in" (1), "within" (1)
               |  near      "near", "near to", "close to"

    (1) a short word that English uses for much else: a relation only where a determiner follows, so that
        "something to sit on" and "portrait on canvas" stay plain texts
    (2) only before a definite determiner: "a bestseller by a famous author" stays a plain text

Between thing and relation may stand "that is", "which are", "standing", "lying", "right" and the like; in
front "where is" and "find". A text in double quotes is never taken apart. What looks like a place but is not
understood is an error that names the part: a missing thing, a relation that is not known ("behind"), a
negation, "and" between relations.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from rgbd_perception.errors import UserError

_MOST_RELATIONS = 3


class Relation(str, enum.Enum):
    """How a thing lies to its anchor; the value is its name in words."""

    NEXT_TO = "next to"
    ON = "on"
    UNDER = "under"
    ABOVE = "above"
    IN = "in"
    NEAR = "near"


@dataclass(frozen=True)
class Question:
    """``things`` (n + 1) joined by ``relations`` (n): the first is looked for, each is placed by the next.

    A plain text has no relations and is its only thing. ``note`` says where a text was nearly a relation.
    """

    things: tuple[str, ...]
    relations: tuple[Relation, ...] = ()
    note: str = ""


_SURE = {
    "next to": Relation.NEXT_TO,
    "beside": Relation.NEXT_TO,
    "alongside": Relation.NEXT_TO,
    "adjacent to": Relation.NEXT_TO,
    "on top of": Relation.ON,
    "atop": Relation.ON,
    "underneath": Relation.UNDER,
    "beneath": Relation.UNDER,
    "inside of": Relation.IN,
    "inside": Relation.IN,
    "near to": Relation.NEAR,
    "near": Relation.NEAR,
    "close to": Relation.NEAR,
}
_SHORT = {
    "by": Relation.NEXT_TO,
    "on": Relation.ON,
    "upon": Relation.ON,
    "under": Relation.UNDER,
    "below": Relation.UNDER,
    "above": Relation.ABOVE,
    "over": Relation.ABOVE,
    "in": Relation.IN,
    "within": Relation.IN,
}
_NOT_KNOWN = (
    "on the left of", "on the right of", "to the left of", "to the right of", "left of", "right of",
    "on the other side of", "in front of", "in the middle of", "behind", "between", "opposite", "across from",
    "far from", "away from",
)  # fmt: skip
_DEFINITE = frozenset(
    ("the", "this", "that", "these", "those", "my", "your", "our", "his", "her", "their", "its")
)
_DETERMINERS = _DEFINITE | {"a", "an", "some", "any", "another", "each", "every"}
_FILLERS = tuple(
    tuple(words.split())
    for words in (
        "that is", "that are", "which is", "which are", "that's", "is", "are", "standing", "lying", "sitting",
        "hanging", "placed", "located", "resting", "right", "directly", "just",
    )
)  # fmt: skip
_OPENINGS = (("where", "is"), ("where", "are"), ("find",))
_NEGATIONS = frozenset(("not", "isn't", "aren't", "never", "no"))
_JOINING = frozenset(("and", "or", "but"))
_NO_THING = frozenset(("what", "something", "anything", "everything", "thing", "things", "it", "stuff"))
_LONGEST = max(len(phrase.split()) for phrase in (*_SURE, *_NOT_KNOWN))


@dataclass(frozen=True)
class _Match:
    """The words from ``first`` to before ``last`` are a relation; None: one that is not known."""

    first: int
    last: int
    relation: Relation | None


def parse_question(text: str) -> Question:
    """Take a text apart by the grammar above; a text without relations comes back as it is.

    Raises UserError that names the part of the text that was not understood.
    """
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] == stripped[-1] == '"':
        return Question((stripped[1:-1].strip(),))
    words = stripped.rstrip("?!. ").split()
    matches = _matches([word.lower().strip(",") for word in words], text)
    if not matches:
        return Question((text,), note=_nearly(words))
    if len(matches) > _MOST_RELATIONS:
        last = " ".join(words[matches[_MOST_RELATIONS].first :])
        raise _not_understood(last, text, f"a question has at most {_MOST_RELATIONS} relations")
    begins = [0, *(match.last for match in matches)]
    ends = [*(match.first for match in matches), len(words)]
    things = []
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        relation = " ".join(words[end : begins[number + 1]]) if number < len(matches) else ""
        before = " ".join(words[ends[number - 1] : end]) if number else ""
        things.append(_thing(words[begin:end], before, relation, text))
    return Question(tuple(things), tuple(match.relation for match in matches if match.relation))


def things_in(texts: Sequence[str]) -> list[str]:
    """All that a text encoder has to encode for these texts. Raises UserError as parse_question does."""
    return [thing for text in texts for thing in parse_question(text).things]


def _matches(words: Sequence[str], text: str) -> list[_Match]:
    """All relations in lower-case ``words``, from left to right."""
    found = []
    first = 0
    while first < len(words):
        match = _match_at(words, first)
        if match is None:
            first += 1
            continue
        part = " ".join(words[match.first : match.last])
        if match.relation is None:
            known = ", ".join(relation.value for relation in Relation)
            raise _not_understood(part, text, f"the relations are {known}")
        found.append(match)
        first = match.last
    return found


def _match_at(words: Sequence[str], first: int) -> _Match | None:
    """The longest relation that begins at a word, if one does."""
    for last in range(min(first + _LONGEST, len(words)), first, -1):
        phrase = " ".join(words[first:last])
        following = words[last] if last < len(words) else ""
        if phrase in _NOT_KNOWN and following in _DETERMINERS:
            return _Match(first, last, None)
        if phrase in _SURE and (following or "to" not in words[:first]):
            return _Match(first, last, _SURE[phrase])
        if phrase in _SHORT and following in (_DEFINITE if phrase == "by" else _DETERMINERS):
            return _Match(first, last, _SHORT[phrase])
    return None


def _thing(words: Sequence[str], before: str, relation: str, text: str) -> str:
    """The words of one thing without what says nothing about it; before, relation: the words around it."""
    said = words
    words = [word for word in words if word.strip(",")]
    words = words if before else _without_opening(words)
    if relation:
        words = _without_fillers(words)
    if words and words[-1].lower() in _NEGATIONS:
        raise _not_understood(f"{words[-1]} {relation}", text, "a relation cannot be negated: ask without it")
    if words and words[-1].lower() in _JOINING:
        raise _not_understood(words[-1], text, "each relation places the thing before it: ask two questions")
    if words and words[0].lower() in _DETERMINERS:
        words = words[1:]
    if not words and before:
        raise _not_understood(before, text, "a thing must follow, as in 'cup on the table'")
    if not words or (not before and " ".join(words).lower() in _NO_THING):
        part = " ".join([*said, relation])
        raise _not_understood(part, text, "name a thing before it, as in 'cup on the table'")
    return " ".join(words).strip(",")


def _without_opening(words: Sequence[str]) -> list[str]:
    lower = tuple(word.lower() for word in words)
    opening = next((opening for opening in _OPENINGS if lower[: len(opening)] == opening), ())
    return list(words[len(opening) :])


def _without_fillers(words: Sequence[str]) -> list[str]:
    """Without the fillers at the end, however many."""
    words = list(words)
    while words:
        lower = tuple(word.lower() for word in words)
        filler = next((filler for filler in _FILLERS if lower[-len(filler) :] == filler), None)
        if filler is None:
            break
        words = words[: -len(filler)]
    return words


def _nearly(words: Sequence[str]) -> str:
    """A hint for "cup on table"; empty for texts without a short relation between two words."""
    for index in range(1, len(words) - 1):
        if words[index].lower() in _SHORT and words[index + 1].lower() not in _DETERMINERS:
            phrase = f"{words[index]} the {words[index + 1]}"
            return f"taken as a plain text; as a relation it needs an article: '{phrase}'"
    return ""


def _not_understood(part: str, text: str, advice: str) -> UserError:
    return UserError(
        f"'{part}' in '{text}' is not understood: {advice} (a text in double quotes is never taken apart)"
    )
