"""A labelled data set together with what a teacher said about it: what a student is distilled from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rgbd_perception.training.datasets.views import (
    DataSetInfo,
    LabelledView,
    LabelledViews,
    SegmentEmbeddings,
)
from rgbd_perception.training.losses.targets import unit_rows
from rgbd_perception.training.teacher.segments import segment_ids
from rgbd_perception.training.teacher.storage import EmbeddingStore, spectrum


@dataclass(frozen=True)
class TaughtViews:
    """``views`` with segments and their stored embeddings (a LabelledViews)."""

    views: LabelledViews
    store: EmbeddingStore

    @property
    def info(self) -> DataSetInfo:
        """What holds for all views."""
        return self.views.info

    def __len__(self) -> int:
        return len(self.views)

    def name(self, index: int) -> str:
        """That of the view in its data set."""
        return self.views.name(index)

    def view(self, index: int) -> LabelledView:
        """View ``index`` with embeddings. Raises UserError where it or they cannot be read."""
        view = self.views.view(index)
        lesson = self.store.read(self.info.split, view.name)
        image = None if lesson.image is None else unit_rows(lesson.image)
        return replace(
            view,
            segments=segment_ids(view, self.info.things),
            embeddings=SegmentEmbeddings(lesson.ids, unit_rows(lesson.rows)[:, None], image),
        )


def taught_views(views: LabelledViews, root: Path, estimator: str) -> TaughtViews:
    """``views`` with the embeddings of ``estimator`` that `rgbd-perception teach` put into ``root``."""
    return TaughtViews(views, EmbeddingStore(root, estimator, spectrum(views.info)))
