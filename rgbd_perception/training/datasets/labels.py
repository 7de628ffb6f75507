"""From the values in label files to 0-based classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.views import IGNORED

_UNKNOWN = -2
_NAMED_IDS = 8
"""Unknown ids that a message names."""


@dataclass(frozen=True)
class LabelCode:
    """How a data set writes its classes: from ``first`` on, ``count`` of them; ``void`` is none."""

    first: int
    count: int
    void: frozenset[int]

    def decode(self, values: NDArray[np.uint16], where: str) -> NDArray[np.int16]:
        """(H, W) file values to classes, IGNORED for void. Raises UserError for any other value."""
        classes = self._table[values]
        if int(classes.min(initial=0)) == _UNKNOWN:
            self._refuse(values[classes == _UNKNOWN], where)
        return classes

    @cached_property
    def _table(self) -> NDArray[np.int16]:
        table = np.full(1 << 16, _UNKNOWN, np.int16)
        table[self.first : self.first + self.count] = np.arange(self.count)
        table[list(self.void)] = IGNORED
        return table

    def _refuse(self, unknown: NDArray[np.uint16], where: str) -> None:
        ids = np.unique(unknown).tolist()
        named = ", ".join(map(str, ids[:_NAMED_IDS])) + (", ..." if len(ids) > _NAMED_IDS else "")
        void = " or ".join(map(str, sorted(self.void)))
        raise UserError(
            f"{where}: unknown label {named}, {_count(unknown.size)}: expected {self.first} to "
            f"{self.first + self.count - 1}, or {void} for void"
        )


def _count(pixels: int) -> str:
    return "1 pixel" if pixels == 1 else f"{pixels} pixels"


VOID_IS_0 = frozenset({0})
VOID_IS_LARGEST = frozenset({255, 65535})
"""Of 8 and of 16 bits."""
