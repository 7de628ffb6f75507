"""usearch: exhaustive search with SIMD kernels over float16 or 8 bit vectors.

Its graph index (HNSW) is left out: it takes minutes to build for a million vectors, which change with every
frame of a camera.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.bench.peers.importing import import_peer, version_of
from rgbd_perception.bench.peers.vectors import TOP, rows_that_fit, unit_blocks
from rgbd_perception.bench.timings import repeat

KINDS: dict[str, Any] = {"usearch_f16": np.float16, "usearch_i8": np.int8}


def search(kind: str, texts: NDArray[np.float32], rows: int, repeats: int) -> dict[str, Any]:
    """Time of the nearest vectors to all ``texts`` (T, D) among ``rows`` by cosine, all cores."""
    usearch = import_peer("usearch.index", "usearch")
    dtype = np.dtype(KINDS[kind])
    dim = texts.shape[1]
    rows = rows_that_fit(rows, dim * dtype.itemsize)
    vectors = np.concatenate([_narrow(block, dtype) for block in unit_blocks(rows, dim)])
    queries = _narrow(texts, dtype)
    timings = repeat(
        lambda: usearch.search(
            vectors, queries, min(TOP, rows), usearch.MetricKind.Cos, exact=True, threads=0
        ),
        repeats,
    )
    return {
        "version": version_of("usearch"),
        "vectors": rows,
        "bytes_per_vector": dim * dtype.itemsize,
        "search_ms": timings.p50,
        "note": f"exhaustive {dtype}, {texts.shape[0]} texts, nearest {TOP}, no objects",
    }


def _narrow(vectors: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Unit rows in ``dtype``; integers span -127 to 127."""
    return np.rint(vectors * 127).astype(dtype) if dtype.kind == "i" else vectors.astype(dtype)
