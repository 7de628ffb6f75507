"""Class evidence of the voxels: Bayes' rule on the few classes that were ever seen there.

A cell that says class c with confidence p is an observation with likelihood p if c is true and (1 - p)/(C -
1) if any other of the C classes is. Its log evidence for c against the others is therefore

    gain(p) = log(p (C - 1) / (1 - p)),   p cut to 1/C .. 0.98

Cells of one frame are not independent: those of one voxel count as one observation, as the weighted mean of
their gains times the smaller of 1 and their summed weight. Evidence of frames adds up. A voxel remembers its
strongest classes only; classes without a slot have evidence 0, and one that comes up takes the weakest slot
when its gain is larger. Beyond a limit all evidence of the voxel is lowered by the excess, so that what was
seen long ago can be overruled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import dither, kernel, readonly
from rgbd_perception.mapping.quantities import PRECISIONS
from rgbd_perception.mapping.snapshot import BLOCK_ROWS
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.vocabulary import UNKNOWN_LABEL

if TYPE_CHECKING:
    from rgbd_perception.mapping.feature_readers import FeatureReader

_MOST_CONFIDENT = 0.98
_MAX_CLASSES_PER_FRAME = 16
"""Different classes of one voxel in one frame; further ones are passed over (a voxel covers few cells)."""


class EvidenceStore:
    """Columns ``class_slot`` (K), class id + 1 or 0 for an empty slot, and ``evidence`` (K) of the classes.

    Slot 0 always holds the strongest class. How evidence is stored is up to the precision of the store.
    """

    def __init__(self, store: VoxelStore, classes: int, slots: int) -> None:
        self.classes = classes
        self.slots = slots
        self.quantity = store.precision.evidence
        slot_type = np.uint8 if classes < np.iinfo(np.uint8).max else np.uint16
        self.class_slot = store.add_column("class_slot", (slots,), slot_type)
        self.evidence = store.add_column("evidence", (slots,), self.quantity.dtype)

    def fuse(
        self,
        rows: NDArray[np.int32],
        groups: VoxelGroups,
        labels: NDArray[np.uint16],
        confidence: NDArray[np.float32],
        limit: float,
        time: int,
    ) -> None:
        """Add the observations of one frame: (h * w,) labels (UNKNOWN_LABEL: none) and confidences.

        ``time`` of the frame in the unit of the store.
        """
        limit = min(limit if limit > 0 else np.inf, self.quantity.largest)
        _fuse(
            rows, groups.keys, groups.starts, groups.members, groups.weights, readonly(labels, np.uint16),
            gain(confidence, self.classes), limit, time, self.quantity.unit, self.quantity.dither,
            self.class_slot, self.evidence,
        )  # fmt: skip

    def classify(
        self, store: VoxelStore, reader: FeatureReader, class_embeddings: NDArray[np.float32], scale: float
    ) -> None:
        """Evidence of all voxels from their embeddings: softmax of ``scale`` x cosine to ``class_embeddings``
        (C, D); none for voxels without one."""
        for first in range(0, store.rows_used, BLOCK_ROWS):
            block = slice(first, min(first + BLOCK_ROWS, store.rows_used))
            columns = {name: column[block] for name, column in store.columns.items()}
            self._write(block, *reader.cosines(columns, class_embeddings), scale)

    def _write(
        self, block: slice, cosines: NDArray[np.float32], known: NDArray[np.bool_], scale: float
    ) -> None:
        slots, nats = from_cosines(cosines, scale, self.slots)
        values: NDArray[Any] = np.minimum(nats, self.quantity.largest) / self.quantity.unit
        values = np.rint(values) if self.quantity.dither else values
        self.class_slot[block] = np.where(known[:, None], slots, 0)
        self.evidence[block] = np.where(known[:, None], values, 0)


def gain(confidence: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    """Log evidence (nats, at least 0) of observations with these confidences among ``classes`` classes."""
    others = max(classes - 1, 1)
    p = np.clip(confidence, 1.0 / (others + 1), _MOST_CONFIDENT)
    return np.maximum(np.log(p * others / (1.0 - p)), 0.0).astype(np.float32)


def labels_of(class_slot: NDArray[np.unsignedinteger]) -> NDArray[np.uint16]:
    """(n, K) slots -> (n,) id of the strongest class, UNKNOWN_LABEL where there is none."""
    strongest = class_slot[:, 0].astype(np.uint16)
    return np.where(strongest > 0, strongest - np.uint16(1), np.uint16(UNKNOWN_LABEL))


def posterior(
    class_slot: NDArray[np.unsignedinteger], stored: NDArray[np.number], classes: int
) -> NDArray[np.float32]:
    """(n, K) probabilities of the remembered classes; what is missing to 1 belongs to all others together.

    ``stored``: the column ``evidence`` as it is stored; its type tells the unit.
    """
    probability = np.empty(class_slot.shape, np.float32)
    _write_posterior(
        np.ascontiguousarray(class_slot), np.ascontiguousarray(stored), unit_of(stored.dtype), classes,
        probability,
    )  # fmt: skip
    return probability


@kernel
def _write_posterior(
    class_slot: NDArray[np.unsignedinteger],
    stored: NDArray[np.number],
    unit: float,
    classes: int,
    probability: NDArray[np.float32],
) -> None:
    for i in range(class_slot.shape[0]):
        top = max(np.float32(stored[i, 0]) * unit, np.float32(0))  # the first is the strongest
        total, unseen = np.float32(0), classes
        for k in range(class_slot.shape[1]):
            probability[i, k] = np.float32(0)
            if class_slot[i, k] > 0:
                probability[i, k] = np.exp(np.float32(stored[i, k]) * unit - top)
                total += probability[i, k]
                unseen -= 1
        total += max(unseen, 0) * np.exp(-top)
        for k in range(class_slot.shape[1]):
            probability[i, k] /= max(total, np.float32(1e-30))


def from_cosines(
    cosines: NDArray[np.float32], scale: float, slots: int
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """(n, C) cosines to the class texts -> (n, K) slots and evidence with the posterior softmax(scale *
    cosine).

    K = ``slots``; classes without a slot share what is left evenly, as evidence 0.
    """
    classes = cosines.shape[1]
    logits = scale * cosines
    count = min(slots, classes)
    order = np.argsort(-logits, axis=1, kind="stable")
    ordered = np.take_along_axis(logits, order, axis=1)
    rest = ordered[:, count:]
    base = np.log(np.exp(rest).mean(axis=1)) if count < classes else ordered[:, -1]
    class_slot = np.zeros((cosines.shape[0], slots), np.uint16)
    evidence = np.zeros((cosines.shape[0], slots), np.float32)
    class_slot[:, :count] = order[:, :count] + 1
    evidence[:, :count] = ordered[:, :count] - base[:, None]
    return class_slot, evidence


def unit_of(dtype: np.dtype[Any]) -> np.float32:
    """Nats of one step of a column ``evidence`` of this type."""
    units = {np.dtype(precision.evidence.dtype): precision.evidence.unit for precision in PRECISIONS.values()}
    return np.float32(units[dtype])


@kernel
def _add(
    slots: NDArray[Any], evidence: NDArray[Any], label: int, amount: float, limit: float, up: float
) -> None:
    """Add ``amount`` for ``label`` to the slots of one voxel and move the strongest class to the front.

    All in units of ``evidence``; ``up`` is added before integers are cut.
    """
    wanted = label + 1
    chosen, weakest = -1, 0
    for slot in range(slots.size):
        if slots[slot] == wanted:
            chosen = slot
        if evidence[slot] < evidence[weakest]:
            weakest = slot
    if chosen < 0:
        if amount <= evidence[weakest]:
            return
        chosen = weakest
        slots[chosen] = wanted
        evidence[chosen] = 0
    value = evidence[chosen] + amount
    if value > limit:  # everything is lowered by the excess, so that what was seen long ago can be overruled
        for slot in range(slots.size):
            evidence[slot] = max(evidence[slot] + limit - value, 0) + up
            if evidence[slot] == 0:
                slots[slot] = 0
        slots[chosen] = wanted
        value = limit
    evidence[chosen] = min(value + up, limit)
    if evidence[chosen] > evidence[0]:
        slots[0], slots[chosen] = slots[chosen], slots[0]
        evidence[0], evidence[chosen] = evidence[chosen], evidence[0]


@kernel
def _fuse(
    rows: NDArray[np.int32],
    keys: NDArray[np.int64],
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    weights: NDArray[np.float32],
    labels: NDArray[np.uint16],
    gains: NDArray[np.float32],
    limit: float,
    time: int,
    unit: float,
    rounding: float,
    class_slot: NDArray[Any],
    evidence: NDArray[Any],
) -> None:
    seen = np.empty(_MAX_CLASSES_PER_FRAME, np.uint16)
    amount = np.empty(_MAX_CLASSES_PER_FRAME, np.float64)
    for group in range(rows.size):
        row = rows[group]
        if row < 0:
            continue
        count, total = 0, 0.0
        for member in range(starts[group], starts[group + 1]):
            cell = members[member]
            total += weights[cell]
            label = labels[cell]
            if label == UNKNOWN_LABEL:
                continue
            slot = 0
            while slot < count and seen[slot] != label:
                slot += 1
            if slot == _MAX_CLASSES_PER_FRAME:
                continue
            if slot == count:
                seen[slot] = label
                amount[slot] = 0.0
                count += 1
            amount[slot] += weights[cell] * gains[cell]
        for slot in range(count):
            if amount[slot] > 0:
                strength = amount[slot] / total * min(1.0, total)
                up = rounding * dither(keys[group], time + slot)
                _add(class_slot[row], evidence[row], seen[slot], strength / unit, limit / unit, up)
