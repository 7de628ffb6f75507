"""faiss: exhaustive search over vectors kept as float32, float16 or 8 bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.bench.peers.importing import import_peer, version_of
from rgbd_perception.bench.peers.vectors import TOP, rows_that_fit, unit_blocks
from rgbd_perception.bench.timings import repeat

KINDS = {"faiss_flat": ("Flat", 4), "faiss_fp16": ("SQfp16", 2), "faiss_sq8": ("SQ8", 1)}
"""Name in the report: what faiss's index factory calls it, and bytes for each number."""


def search(kind: str, texts: NDArray[np.float32], rows: int, repeats: int) -> dict[str, Any]:
    """Time of the nearest vectors to all ``texts`` (T, D) among ``rows`` by inner product, all cores."""
    faiss = import_peer("faiss", "faiss-cpu")
    factory, width = KINDS[kind]
    dim = texts.shape[1]
    rows = rows_that_fit(rows, dim * width)
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    for block in unit_blocks(rows, dim):
        if not index.is_trained:
            index.train(block)
        index.add(block)
    timings = repeat(lambda: index.search(texts, min(TOP, rows)), repeats)
    return {
        "version": version_of("faiss-cpu"),
        "vectors": rows,
        "bytes_per_vector": dim * width,
        "search_ms": timings.p50,
        "note": f"exhaustive {factory}, {texts.shape[0]} texts, nearest {TOP}, no objects",
    }
