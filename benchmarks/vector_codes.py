"""Ways to keep a unit vector in few bytes: each learns from some vectors and gives others back changed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.shared_rows import rounded

Vectors = NDArray[np.float32]
There = Callable[[Vectors], Vectors]
"""(n, D) unit vectors -> (n, D): what comes back of them, of any length."""

_PROTOTYPES = 4096
_AT_ONCE = 4096
"""Vectors compared with all prototypes at a time."""
_LIKE = 0.97
"""Least cosine at which an online prototype takes a vector in."""


@dataclass(frozen=True)
class VectorCode:
    """name      of the table
    nbytes       a vector of ``dim`` numbers takes
    learn        makes the code from (n, D) unit vectors, in the order in which they were seen
    has_learned  whether it depends on them at all
    """

    name: str
    nbytes: Callable[[int], float]
    learn: Callable[[Vectors], There]
    has_learned: bool = True


def codes() -> list[VectorCode]:
    """All candidates that look at vectors alone."""
    return [
        VectorCode("half precision", lambda dim: 2 * dim, lambda _: _halves, has_learned=False),
        VectorCode("8 bits a number", lambda dim: dim, lambda _: _rounded, has_learned=False),
        *(_subspace(dims, centred, bits) for dims, centred, bits in _SUBSPACES),
        _product(48, 12),
        _residual(48, 12),
        _residual(48, 4),
        VectorCode("one of 4,096 online prototypes", lambda _: 2, lambda seen: _online(seen, 1)),
        VectorCode("three weighted of 4,096 online prototypes", lambda _: 9, lambda seen: _online(seen, 3)),
    ]


_SUBSPACES = (
    (24, True, 8), (48, True, 8), (48, False, 8), (64, False, 8), (64, False, 32), (48, True, 4),
)  # fmt: skip
"""Dimensions, whether the mean is taken off, bits of a number."""


def _halves(vectors: Vectors) -> Vectors:
    return vectors.astype(np.float16).astype(np.float32)


def _rounded(vectors: Vectors) -> Vectors:
    return rounded(vectors).astype(np.float32)


def _subspace(dims: int, centred: bool, bits: int) -> VectorCode:
    """Principal components, with the mean taken off and given back (PCA) or through the origin. The largest
    coordinate of a vector takes all bits; with a mean the length counts too, and takes two bytes."""

    def learn(seen: Vectors) -> There:
        mean, basis = _principal(seen, dims, centred)

        def there(vectors: Vectors) -> Vectors:
            coordinates = (vectors - mean) @ basis
            if bits < 32:
                levels = np.float32(2 ** (bits - 1) - 1)
                step = np.abs(coordinates).max(axis=1, keepdims=True) / levels
                coordinates = np.rint(coordinates / np.maximum(step, 1e-12)) * step
            return coordinates @ basis.T + mean

        return there

    kind = "PCA with its mean" if centred else "subspace through 0"
    return VectorCode(f"{kind}, {dims} x {bits} bits", lambda _: dims * bits / 8 + 2 * centred, learn)


def _product(dims: int, parts: int) -> VectorCode:
    """Product quantisation (Jegou, Douze and Schmid 2011) of principal components, turned at random so that
    all parts have the same share of the energy; one byte for each part."""

    def learn(seen: Vectors) -> There:
        mean, basis = _principal(seen, dims)
        turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((dims, dims)))
        basis = basis @ turn.astype(np.float32)
        blocks = np.split(np.arange(dims), parts)
        tables = [_prototypes((seen - mean) @ basis[:, block]) for block in blocks]

        def there(vectors: Vectors) -> Vectors:
            found = np.tile(mean, (len(vectors), 1))
            for block, table in zip(blocks, tables, strict=True):
                found += table[_nearest((vectors - mean) @ basis[:, block], table)] @ basis[:, block].T
            return found

        return there

    return VectorCode(f"product quantisation of {dims}, {parts} x 256", lambda _: parts, learn)


def _residual(dims: int, stages: int) -> VectorCode:
    """Residual quantisation (Chen, Guan and Wang 2010) of principal components; one byte for each stage."""

    def learn(seen: Vectors) -> There:
        mean, basis = _principal(seen, dims)
        rest, tables = (seen - mean) @ basis, []
        for _ in range(stages):
            tables.append(_prototypes(rest))
            rest = rest - tables[-1][_nearest(rest, tables[-1])]

        def there(vectors: Vectors) -> Vectors:
            found = np.zeros((len(vectors), dims), np.float32)
            coordinates = (vectors - mean) @ basis
            for table in tables:
                found += table[_nearest(coordinates - found, table)]
            return found @ basis.T + mean

        return there

    return VectorCode(f"residual quantisation of {dims}, {stages} x 256", lambda _: stages, learn)


def _principal(seen: Vectors, dims: int, centred: bool = True) -> tuple[Vectors, Vectors]:
    """Mean (D,), zero where it is not ``centred``, and principal directions (D, dims)."""
    mean = seen.mean(axis=0) if centred else np.zeros(seen.shape[1], np.float32)
    _, directions = np.linalg.eigh((seen - mean).T @ (seen - mean))
    return mean, np.ascontiguousarray(directions[:, ::-1][:, :dims])


def _prototypes(vectors: Vectors) -> Vectors:
    """256 means of k-means."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a mean without members: it stays unused
        start = vectors[np.random.default_rng(0).choice(len(vectors), 256, replace=False)]
        table, _ = kmeans2(vectors, start, iter=10, minit="matrix")
    return table.astype(np.float32)


def _nearest(vectors: Vectors, table: Vectors) -> NDArray[np.int64]:
    return (vectors @ table.T - (table * table).sum(axis=1) / 2).argmax(axis=1)


def _online(seen: Vectors, members: int) -> There:
    """Prototypes learned one vector after the other, as a map would; a vector is a sum of ``members``."""
    table = np.zeros((_PROTOTYPES, seen.shape[1]), np.float32)
    used = _learn_prototypes(seen, _LIKE, table)
    prototypes = table[:used] / np.linalg.norm(table[:used], axis=1, keepdims=True)

    def there(vectors: Vectors) -> Vectors:
        parts = np.array_split(vectors, -(-len(vectors) // _AT_ONCE))
        return np.concatenate([_pursue(part, prototypes, members) for part in parts])

    return there


def _pursue(vectors: Vectors, prototypes: Vectors, members: int) -> Vectors:
    """Sums of ``members`` prototypes with weights of one byte: matching pursuit (Mallat and Zhang 1993)."""
    found = np.zeros_like(vectors)
    for _ in range(members):
        products = (vectors - found) @ prototypes.T
        best = products.argmax(axis=1)
        weight = np.rint(products.max(axis=1) * 127) / 127
        found += weight[:, None].astype(np.float32) * prototypes[best]
    return found


@kernel(fastmath=True)
def _learn_prototypes(seen: Vectors, like: float, table: Vectors) -> int:
    """Sums of the vectors that each prototype took in; a vector like none founds one while there is room."""
    used = 0
    squares = np.zeros(table.shape[0], np.float32)
    for i in range(seen.shape[0]):
        best, nearest = 0, np.float32(-2)
        for row in range(used):
            product = np.float32(0)
            for j in range(seen.shape[1]):
                product += table[row, j] * seen[i, j]
            cosine = product / np.sqrt(squares[row])
            if cosine > nearest:
                best, nearest = row, cosine
        if nearest < like:
            if used == table.shape[0]:
                continue
            best = used
            used += 1
        square = np.float32(0)
        for j in range(seen.shape[1]):
            table[best, j] += seen[i, j]
            square += table[best, j] * table[best, j]
        squares[best] = square
    return used
