"""Embeddings of the voxels in few bytes: exact running means while in view, shared rows afterwards.

Voxels that the camera sees have a slot in a pool of bounded size, with the running mean of what was seen
(half precision, coordinates in the subspace of the map). When the slots run out, the voxel that got its slot
first and is not in view settles: it takes a row that a neighbour uses, or a new one (``shared_rows``). Seen
again it gets a slot, and its mean goes on from its row with the weight the voxel has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.blocks import in_block
from rgbd_perception.mapping.feature_readers import HOT, SharedReader
from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.hash_index import find_row
from rgbd_perception.mapping.jit import dither, float_to_half, half_bits, half_to_float, kernel
from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.pooling import Pooled, pool, pool_coordinates
from rgbd_perception.mapping.row_index import find_voxel
from rgbd_perception.mapping.shared_rows import STEPS, SharedRows, likeness, write_row
from rgbd_perception.mapping.snapshot import Columns
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.mapping.subspace import SAMPLE, Subspace, spread
from rgbd_perception.mapping.threads import Runner

_EVERY_FRAME = 8
_EVERY = 4
"""So many first frames, and after them every so manieth, may add directions to the subspace."""
_NOBODY = -1
_SOME = 32
_ENOUGH_FREE, _LEAST_TOLERANCE = 0.25, -1.0
"""Below this share of free rows the tolerance is lowered, down to the second value when there is none."""
_SETTLED_WEIGHT = 12.0
_PACE = 4
"""A voxel in view that was observed with this weight takes the embeddings of every fourth frame only: its
mean hardly changes any more, and summing up embeddings is most of the work of an update."""


class SharedFeatures:
    """Column ``feature_at`` uint32: 0 for none, a shared row, or HOT + the slot of a voxel in view.

    dims       most dimensions of the subspace
    tolerance  least cosine between the embedding of a voxel and the row it shares
    rows       most shared rows; when they run short the tolerance is lowered
    slots      voxels that are in view at once
    """

    def __init__(
        self,
        store: VoxelStore,
        dim: int,
        text_space: str,
        *,
        dims: int,
        tolerance: float,
        rows: int,
        slots: int,
    ) -> None:
        self.dim = dim
        self.text_space = text_space
        self.tolerance = tolerance
        self.subspace = Subspace(dim, dims)
        width = self.subspace.basis.shape[0]
        self.shared = SharedRows(rows, width)
        self.at = store.add_column("feature_at", (), np.uint32)
        self.hot = np.zeros((slots, width), np.float16)
        self._hot_weight = np.zeros(slots, np.float32)
        self._hot_row = np.full(slots, _NOBODY, np.int32)
        self._hot_frame = np.full(slots, -1, np.int32)
        self._store = store
        self._hand = 0
        self._frame = 0

    def pool(
        self, known: NDArray[np.int32], groups: VoxelGroups, embedding: NDArray[np.uint16], run: Runner
    ) -> Pooled:
        """Coordinates of the voxels of a frame with the (h * w, D) half ``embedding`` that take it, of which
        the rows ``known`` (-1: new) are. Changes nothing that a question reads, and nothing at all where it
        raises FrameDropped: prediction_not_finite."""
        wanted = np.empty(known.size, np.bool_)
        _want(known, self.at, self._hot_weight, self._frame, wanted)
        chosen = np.flatnonzero(wanted).astype(np.int32)
        if self._frame >= _EVERY_FRAME and self._frame % _EVERY != 0:
            return pool_coordinates(groups, embedding, chosen, self.subspace.basis, run)
        missing = self.subspace.missing(pool(groups, embedding, spread(chosen, SAMPLE), run).sums)
        pooled = pool_coordinates(groups, embedding, chosen, self.subspace.with_added(missing), run)
        self.subspace.add(missing)
        return pooled

    def blend(self, rows: NDArray[np.int32], pooled: Pooled, limit: float) -> None:
        """Blend what a frame adds into ``rows`` of its voxels, before their weight grows."""
        slots, chosen = self._claim(rows), pooled.chosen
        unit = self._store.precision.weight.unit
        left = np.zeros(chosen.size, np.uint32)
        _blend(
            rows[chosen], slots[chosen], pooled.sums, pooled.totals, limit if limit > 0 else np.inf, unit,
            self._store.weight, self.at, self.shared.vector, half_bits(self.hot), self._hot_weight,
            self._hot_row, left,
        )  # fmt: skip
        self.shared.leave(left)
        self._frame += 1

    def forget(self, rows: NDArray[np.int32]) -> None:
        """The voxels in these rows are about to be removed."""
        at = self.at[rows]
        is_hot = at >= HOT
        self._hot_row[at[is_hot] - HOT] = _NOBODY
        self.shared.leave(at[~is_hot])

    def load(self, rows: NDArray[np.int32], columns: Columns) -> None:
        """Take over the tensors of a file, whose voxels are in ``rows``."""
        if "feature" in columns:
            known = np.flatnonzero(columns["feature_weight"] > 0)
            self._adopt(rows[known], columns["feature"][known])
        else:
            self._restore(columns["feature_basis"], columns["feature_vectors"], rows, columns["feature_at"])

    def _adopt(self, rows: NDArray[np.int32], vectors: NDArray[np.float32]) -> None:
        """Give voxels without embeddings the (n, D) ``vectors``, as if they had been seen long ago."""
        for first in range(0, rows.size, self.hot.shape[0]):
            part = slice(first, first + self.hot.shape[0])
            while self.subspace.extend(vectors[part]):
                pass
            self._put_in_view(rows[part], self.subspace.coordinates(vectors[part]))

    def _restore(
        self,
        basis: NDArray[np.float32],
        vectors: NDArray[np.int8],
        rows: NDArray[np.int32],
        at: NDArray[np.uint32],
    ) -> None:
        """Take over what ``SharedReader.packed`` gave: ``vectors`` and, for voxels in ``rows``, 1 + which.

        Those with most users become shared rows again. What does not fit goes the way of voxels in view.
        """
        self.subspace.restore(basis)
        width = basis.shape[0]
        users = np.bincount(at, minlength=vectors.shape[0] + 1)[1:]
        order = np.argsort(-users, kind="stable")
        kept = order[: self.shared.vector.shape[0] - 1]
        place = np.zeros(vectors.shape[0] + 1, np.uint32)
        place[kept + 1] = np.arange(1, kept.size + 1, dtype=np.uint32)
        self.shared.vector[1 : kept.size + 1, :width] = vectors[kept]
        self.shared.users[1 : kept.size + 1] = users[kept]
        self.shared.used = kept.size + 1
        self.at[rows] = place[at]
        others = np.flatnonzero((at > 0) & (place[at] == 0))
        for first in range(0, others.size, self.hot.shape[0]):
            part = others[first : first + self.hot.shape[0]]
            wide = np.zeros((part.size, self.hot.shape[1]), np.float32)
            wide[:, :width] = vectors[at[part] - 1]
            wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
            self._put_in_view(rows[part], wide)

    def reader(self) -> SharedReader:
        """The embeddings of this instant, to be read while the map changes."""
        used = self.shared.used
        in_use = np.concatenate([self.shared.users[:used] > 0, self._hot_row != _NOBODY])
        vectors = self.shared.vector[:used]
        return SharedReader(self.subspace.basis, vectors, self.hot, in_use, self.shared.nearest)

    @property
    def nbytes(self) -> int:
        """Bytes beside the column."""
        slots = self.hot.nbytes + self._hot_weight.nbytes + self._hot_row.nbytes + self._hot_frame.nbytes
        return slots + self.shared.nbytes + self.subspace.nbytes

    def _tolerance_now(self) -> float:
        """Lower when rows run short: better one that fits less well for everybody than none for some."""
        free = 1.0 - len(self.shared) / (self.shared.users.size - 1)
        scarcity = max(0.0, 1.0 - free / _ENOUGH_FREE)
        return self.tolerance - scarcity * max(0.0, self.tolerance - _LEAST_TOLERANCE)

    def _put_in_view(self, rows: NDArray[np.int32], coordinates: NDArray[np.float32]) -> None:
        slots = self._claim(rows)
        self.hot[slots] = coordinates
        self._hot_weight[slots] = 1.0
        self._hot_row[slots] = rows
        self.at[rows] = HOT + slots.astype(np.uint32)
        self._frame += 1

    def _claim(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """Slots (n,) for the voxels in ``rows``, -1 where all are in view; settles those that lose theirs."""
        slots = np.empty(rows.size, np.int32)
        settling = np.empty(rows.size, np.int32)
        self._hand, count = _claim_slots(
            rows, self.at, self._hot_row, self._hot_frame, self._frame, self._hand, slots, settling
        )
        settling = settling[:count]
        owners = self._hot_row[settling]
        self._store.announce(owners)
        free = self.shared.take_free(count, self._store.is_read)
        blocks = self._store.blocks
        given = _settle(
            owners, settling, half_bits(self.hot), self._store.key, self._store.index.slots,
            blocks.index.keys, blocks.index.rows, blocks.bits, self.at, self.shared.vector, self.shared.users,
            free, np.float32(self._tolerance_now()),
        )  # fmt: skip
        self.shared.gave(free[free.size - given :])
        self._hot_row[settling] = _NOBODY
        return slots


@kernel
def _want(
    rows: NDArray[np.int32],
    at: NDArray[np.uint32],
    hot_weight: NDArray[np.float32],
    frame: int,
    wanted: NDArray[np.bool_],
) -> None:
    """Which voxels take the embeddings of this frame: those that have a slot now and then, others (new ones:
    -1) where slots are left."""
    left = hot_weight.size
    for row in rows:
        left -= row >= 0 and at[row] >= HOT
    for i in range(rows.size):
        row = rows[i]
        if row >= 0 and at[row] >= HOT:
            wanted[i] = (row + frame) % _PACE == 0 or hot_weight[at[row] - HOT] < _SETTLED_WEIGHT
        else:
            wanted[i] = left > 0
            left -= 1


@kernel
def _claim_slots(
    rows: NDArray[np.int32],
    at: NDArray[np.uint32],
    hot_row: NDArray[np.int32],
    hot_frame: NDArray[np.int32],
    frame: int,
    hand: int,
    slots: NDArray[np.int32],
    settling: NDArray[np.int32],
) -> tuple[int, int]:
    """Find a slot for each row; return where the next search begins and how many slots lose their voxel."""
    for i in range(rows.size):
        slots[i] = -1
        if rows[i] >= 0 and at[rows[i]] >= HOT:
            slots[i] = at[rows[i]] - HOT
            hot_frame[slots[i]] = frame
    count, looked = 0, 0
    for i in range(rows.size):
        if rows[i] < 0 or slots[i] >= 0:
            continue
        while looked < hot_frame.size and hot_frame[hand] == frame:
            hand = hand + 1 if hand + 1 < hot_frame.size else 0
            looked += 1
        if looked == hot_frame.size:
            break
        slots[i] = hand
        hot_frame[hand] = frame
        if hot_row[hand] >= 0:
            settling[count] = hand
            count += 1
    return hand, count


@kernel
def _nearest_of_some(
    wide: NDArray[np.float32], vectors: NDArray[np.int8], users: NDArray[np.int32], seed: int
) -> int:
    """The best of a few rows in use, for a voxel without neighbours when no row is free."""
    best, nearest = np.uint32(0), np.float32(-2)
    for number in range(_SOME):
        row = 1 + int(dither(seed, number) * (users.size - 1))
        if users[row] > 0:
            cosine = likeness(wide, vectors[row])
            if cosine > nearest:
                best, nearest = np.uint32(row), cosine
    return best


@kernel
def _settle(
    owners: NDArray[np.int32],
    slots: NDArray[np.int32],
    hot: NDArray[np.uint16],
    keys: NDArray[np.int64],
    index: NDArray[np.uint32],
    block_keys: NDArray[np.int64],
    block_numbers: NDArray[np.int32],
    bits: NDArray[np.uint64],
    at: NDArray[np.uint32],
    vectors: NDArray[np.int8],
    users: NDArray[np.int32],
    free: NDArray[np.int32],
    tolerance: float,
) -> int:
    """Give each owner a shared row in place of its slot; return how many of ``free`` (from its end) went."""
    wide = np.empty(hot.shape[1], np.float32)
    given, last, number = 0, NO_KEY, -1
    for i in range(owners.size):
        for j in range(wide.size):
            wide[j] = half_to_float(hot[slots[i], j])
        best, nearest = np.uint32(0), np.float32(-2)
        for step in STEPS:
            key = keys[owners[i]] + step
            # Most neighbours do not exist, and of those the blocks know sooner than the hash.
            block, word, bit = in_block(key)
            if block != last:
                last, number = block, find_row(block_keys, block_numbers, block)
            if number < 0 or (bits[number, word] >> np.uint64(bit)) & np.uint64(1) == np.uint64(0):
                continue
            row = find_voxel(index, keys, key)
            if at[row] == 0 or at[row] >= HOT or at[row] == best:
                continue
            cosine = likeness(wide, vectors[at[row]])
            if cosine > nearest:
                best, nearest = at[row], cosine
        if nearest < tolerance and given < free.size:
            given += 1
            best = np.uint32(free[free.size - given])
            write_row(wide, vectors[best])
        elif best == 0:
            best = _nearest_of_some(wide, vectors, users, owners[i])
        at[owners[i]] = best
        users[best] += 1
    return given


@kernel(fastmath=True)
def _blend(
    rows: NDArray[np.int32],
    slots: NDArray[np.int32],
    coordinates: NDArray[np.float32],
    totals: NDArray[np.float32],
    limit: float,
    weight_unit: float,
    weight: NDArray[np.number],
    at: NDArray[np.uint32],
    vectors: NDArray[np.int8],
    hot: NDArray[np.uint16],
    hot_weight: NDArray[np.float32],
    hot_row: NDArray[np.int32],
    left: NDArray[np.uint32],
) -> None:
    """Running means in the slots; ``left`` gets the shared rows that voxels leave for a slot."""
    dim = coordinates.shape[1]
    for i in range(rows.size):
        row, slot = rows[i], slots[i]
        if row < 0 or slot < 0:
            continue
        if at[row] < HOT:
            start = at[row]
            length = np.float32(0)
            for j in range(dim):
                length += np.float32(vectors[start, j]) * np.float32(vectors[start, j])
            scale = 1 / np.sqrt(length) if length > 0 else np.float32(0)
            for j in range(dim):
                hot[slot, j] = float_to_half(np.float32(vectors[start, j] * scale))
            hot_weight[slot] = weight_unit * weight[row] if start > 0 else 0.0
            left[i] = start
            at[row] = HOT + np.uint32(slot)
            hot_row[slot] = row
        share = np.float32(1.0) / (hot_weight[slot] + totals[i])
        for j in range(dim):
            old = half_to_float(hot[slot, j])
            hot[slot, j] = float_to_half(np.float32(old + (coordinates[i, j] - totals[i] * old) * share))
        hot_weight[slot] = min(hot_weight[slot] + totals[i], limit)
