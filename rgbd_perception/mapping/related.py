"""Answers to questions with relations: "the cup on the table".

Every thing of a question is asked for like a plain text, with many answers. The answers to the last thing are
where the one before it must lie, and so on to the first. A pair of target and anchor counts when the relation
holds; the score of the target is then

    probability of the target x probability of the anchor x how well the relation holds

with the anchor for which this is largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rgbd_perception.mapping.boxes import OrientedBox
from rgbd_perception.mapping.placement import HOLDS, degree
from rgbd_perception.mapping.query import Answer, QueryResult, Search, TextEncoderLike, answer_texts
from rgbd_perception.mapping.relations import Question, Relation, parse_question
from rgbd_perception.mapping.view import MapView

_CANDIDATES = 50
"""Answers to each thing of a question with relations that are compared with each other."""


def answer_questions(
    view: MapView,
    texts: Sequence[str],
    negatives: Sequence[str],
    encoder: TextEncoderLike,
    search: Search,
) -> list[QueryResult]:
    """Answers to texts, some of which may be questions with relations (relations.py says which).

    ``negatives`` hold for every thing, the region only for what is looked for, not for its anchors.
    The threshold, where given, is the least score of every thing and of the answers. Raises UserError for a
    text that is half understood.
    """
    questions = [parse_question(text) for text in texts]

    wanted = [question.things[0] for question in questions]
    anchors = list(dict.fromkeys(thing for question in questions for thing in question.things[1:]))
    wider = replace(search, top_k=max(search.top_k, _CANDIDATES)) if anchors else search
    if anchors and search.region is not None:
        found = answer_texts(view, wanted, negatives, encoder, wider)
        found += answer_texts(view, anchors, negatives, encoder, replace(wider, region=None))
    else:
        found = answer_texts(view, [*wanted, *anchors], negatives, encoder, wider)
    by_anchor = dict(zip(anchors, found[len(wanted) :], strict=True))
    results = []
    for text, question, result in zip(texts, questions, found, strict=False):
        chain = [result, *(by_anchor[thing] for thing in question.things[1:])]
        answer = _answer_chain(question, chain, search.threshold or 0.0, view.header.voxel_size)
        results.append(replace(answer, text=text, answers=answer.answers[: search.top_k]))
    return results


def _answer_chain(
    question: Question, found: Sequence[QueryResult], threshold: float, voxel_size: float
) -> QueryResult:
    """Place each thing by the next one, from the last; ``found`` are the plain answers to each."""
    if not question.relations:
        return replace(found[0], note=question.note)
    note = f"read as: {_spelled(question)}"
    placed = found[-1]
    for index in reversed(range(len(question.relations))):
        relation = question.relations[index]
        place = f"{relation.value} '{placed.text}'"
        answers = _related(found[index].answers, relation, placed.answers, threshold, voxel_size)
        message = "" if answers else _why_none(found[index], placed, place)
        placed = QueryResult(f"{question.things[index]} {place}", message, answers, note)
    return placed


def _related(
    targets: Sequence[Answer],
    relation: Relation,
    anchors: Sequence[Answer],
    threshold: float,
    voxel_size: float,
) -> tuple[Answer, ...]:
    """The targets that lie to an anchor as ``relation`` says, best first."""
    boxes = [_box(anchor) for anchor in anchors]
    answers = []
    for target in targets:
        box = _box(target)
        degrees = [degree(relation, box, other, voxel_size) for other in boxes]
        weights = [
            held * anchor.score if held >= HOLDS else 0.0
            for held, anchor in zip(degrees, anchors, strict=True)
        ]
        best = int(np.argmax(weights)) if weights else 0
        if weights and weights[best] > 0 and target.score * weights[best] >= threshold:
            score = round(target.score * weights[best], 4)
            answers.append(replace(target, score=score, relation=relation.value, anchor=anchors[best]))
    return tuple(sorted(answers, key=lambda answer: -answer.score))


def _why_none(targets: QueryResult, anchors: QueryResult, place: str) -> str:
    """Which part of a question has no answer."""
    if not targets.answers:
        return f"no '{targets.text}': {targets.message}"
    count = f"found {len(targets.answers)} x '{targets.text}'"
    if not anchors.answers:
        return f"{count}, but no '{anchors.text}': {anchors.message}"
    return f"{count} and {len(anchors.answers)} x '{anchors.text}', but none is {place}"


def _spelled(question: Question) -> str:
    joined = [f"[{question.things[0]}]"]
    for relation, thing in zip(question.relations, question.things[1:], strict=True):
        joined.append(f"{relation.value} [{thing}]")
    return " ".join(joined)


def _box(answer: Answer) -> OrientedBox:
    return OrientedBox(np.array(answer.position), np.array(answer.size), answer.yaw)
