"""What VisualDL shows of a run beside its curves: pictures of answers, precision and recall, weights, the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from paddle import nn

from paddlevideo.loader.datasets import SampleDataset
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.answers import Answers
from paddlevideo.tasks.board_graph import write_graph
from paddlevideo.tasks.board_writer import BoardWriter
from paddlevideo.tasks.journal import BOARD
from paddlevideo.types import Prediction


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
        self.shown, self.answers = shown, answers
        self.writer = BoardWriter(folder / BOARD) if shown != Shown() else None

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *error: object) -> None:
        if self.writer is not None:
            self.writer.__exit__(*error)

    def network(self, model: VideoModel) -> None:
        """Show the layers."""
        if self.writer is not None and self.shown.graph:
            with self.writer.drawing():
                write_graph(model, self.writer.folder)

    def weights(self, model: nn.Layer, step: int) -> None:
        """Show how the numbers of each parameter are spread."""
        if self.writer is None or not self.shown.histograms:
            return
        for name, value in model.named_parameters():
            self.writer.histogram(name, value.numpy().ravel(), step)

    def measurement(self, dataset: SampleDataset, predictions: dict[str, Prediction], step: int) -> None:
        """Show what became of a measurement.

        Args:
            dataset: the test set.
            predictions: of all its samples, by id.
            step: batches that the weights were trained on.
        """
        if self.writer is None:
            return
        with self.writer.drawing():
            self._draw(self.writer, dataset, predictions, step)

    def _draw(self, writer: BoardWriter, dataset: SampleDataset, predictions: dict[str, Prediction], step: int) -> None:
        if self.shown.pr_curves:
            for name, hits, scores in self.answers.curves(dataset, predictions):
                if hits.any():
                    writer.pr_curve(f"test/{name}", hits, scores, step)
        for index in np.linspace(0, len(dataset) - 1, min(self.shown.images, len(dataset))).astype(int).tolist():
            name = dataset.annotation(index)["meta"]["id"]
            picture = self.answers.picture(dataset, index, predictions[name])
            if picture is not None:
                writer.image(f"test/{name}", picture, step)
