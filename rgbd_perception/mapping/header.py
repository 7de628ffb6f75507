"""What a map says about itself beside its voxels: read together with a snapshot, written into the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.vocabulary import Vocabulary

MILLISECOND = 1_000_000
"""Nanoseconds."""


@dataclass(frozen=True)
class MapHeader:
    """voxel_size in metres; map_from_source (4, 4): world of the source to the z-up map frame ``frame_id``.

    class_embeddings (C, D) float32 are unit text embeddings of the vocabulary's names, or None; feature_dim
    is 0 for a map without embeddings; text_space is that of the embeddings, else of the vocabulary. storage
    says how columns are stored, epoch_ns from when on ``last_seen`` counts milliseconds; tracked is the state
    of the ObjectTracker, in files only. frames: how many were fused; notes: a JSON object of whoever made the
    map.
    """

    voxel_size: float
    frame_id: str
    map_from_source: NDArray[np.float64]
    model_id: str
    text_space: str
    feature_dim: int
    evidence_slots: int
    vocabulary: Vocabulary | None
    class_embeddings: NDArray[np.float32] | None
    storage: str = "compact"
    epoch_ns: int = 0
    tracked: dict[str, Any] | None = None
    frames: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)

    def stamps_ns(self, last_seen: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
        """Nanoseconds of values of the column ``last_seen``."""
        return self.epoch_ns + last_seen.astype(np.int64) * MILLISECOND
