"""The objects of a map as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rgbd_perception.mapping.objects import MapObject


def objects_json_bytes(objects: Sequence[MapObject], frame_id: str, label_names: Sequence[str]) -> bytes:
    """``{frame_id, label_names, objects: [...]}`` in UTF-8; an object has the fields of MapObject:
    box centre ``position`` and ``size`` along its own axes in metres, ``yaw`` in radians about z."""
    content = {
        "frame_id": frame_id,
        "label_names": list(label_names),
        "objects": [asdict(item) for item in objects],
    }
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
