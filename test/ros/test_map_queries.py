"""What a service call gets to read beside its answers."""

from __future__ import annotations

import numpy as np

from rgbd_perception.mapping.query import Answer, QueryResult
from rgbd_perception.ros.map_queries import fill_response, parse_request
from rgbd_perception.srv import QueryText

ANSWER = Answer(0.8, (1.0, 2.0, 0.5), (0.1, 0.1, 0.1), 0.0, "map", voxels=12)


def test_the_message_counts_answers_and_passes_notes_on() -> None:
    request = QueryText.Request(texts=["cup on table", "a plant"])
    question = parse_request(request, "map", lambda frame: np.eye(4))
    results = [
        QueryResult("cup on table", "", (ANSWER,), note="taken as a plain text"),
        QueryResult("a plant", "nothing found: the map is empty", ()),
    ]
    response = fill_response(QueryText.Response(), question, results)
    assert response.success
    assert response.message == "1 of 2 texts found; 'cup on table': taken as a plain text"
    assert list(response.reasons) == ["", "nothing found: the map is empty"]
    assert [item.query for item in response.objects] == ["cup on table"]
