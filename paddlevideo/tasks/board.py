"""What VisualDL shows of a run beside its curves: pictures of answers, precision and recall, weights, the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from paddle import nn

from paddlevideo.loader.datasets import SampleDataset
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.answers import Answers
from paddlevideo.tasks.board_graph import write_graph
from paddlevideo.tasks.journal import BOARD
from paddlevideo.types import Prediction
from paddlevideo.utils.files import output_folder

POINTS = 100  # of a curve
BUCKETS = 50  # of a histogram


@dataclass(frozen=True)
class Shown:
    """What is shown, see the top of this file.

    Args:
        images: test samples, evenly spread, that are drawn with answers and truths after each measurement.
        pr_curves: of each class and of all, after each measurement.
        histograms: of every parameter and its running statistics, after each epoch.
        graph: the layers of the network and what happens in them.
    """

    images: int = 0
    pr_curves: bool = False
    histograms: bool = False
    graph: bool = False

    def __post_init__(self) -> None:
        if self.images < 0:
            raise ValueError(f"visualdl: images should be at least 0, got {self.images}")

    @property
    def measures(self) -> bool:
        """Whether predictions are needed."""
        return self.images > 0 or self.pr_curves


class Board:
    """Writes to the folder `board` of a run; a resumed run adds a file.

    Args:
        folder: the run's.
        shown: what is wanted.
        answers: the kind that the model gives.
    """

    def __init__(self, folder: Path, shown: Shown, answers: Answers) -> None:
        from visualdl import LogWriter  # its import takes seconds, so only training pays for it

        self.shown, self.answers = shown, answers
        self.writer = LogWriter(logdir=str(output_folder(folder / BOARD))) if shown != Shown() else None

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def network(self, model: VideoModel) -> None:
        """Show the layers."""
        if self.writer is not None and self.shown.graph:
            write_graph(model, Path(self.writer.logdir))

    def weights(self, model: nn.Layer, step: int) -> None:
        """Show how the numbers of each parameter are spread."""
        if self.writer is None or not self.shown.histograms:
            return
        for name, value in model.named_parameters():
            self.writer.add_histogram(name, value.numpy().ravel(), step, buckets=BUCKETS)

    def measurement(self, dataset: SampleDataset, predictions: dict[str, Prediction], step: int) -> None:
        """Show what became of a measurement.

        Args:
            dataset: the test set.
            predictions: of all its samples, by id.
            step: batches that the weights were trained on.
        """
        if self.writer is None:
            return
        if self.shown.pr_curves:
            for name, hits, scores in self.answers.curves(dataset, predictions):
                if hits.any():
                    with _old_names_of_numpy():
                        self.writer.add_pr_curve(f"test/{name}", hits.astype(int), scores, step, POINTS)
        for index in np.linspace(0, len(dataset) - 1, min(self.shown.images, len(dataset))).astype(int).tolist():
            name = dataset.annotation(index)["meta"]["id"]
            picture = self.answers.picture(dataset, index, predictions[name])
            if picture is not None:
                self.writer.add_image(f"test/{name}", picture, step)


@contextmanager
def _old_names_of_numpy() -> Iterator[None]:
    """VisualDL 2.5 says `np.float`, which numpy does not know any more."""
    names: Any = np
    names.float = float
    try:
        yield
    finally:
        del names.float
