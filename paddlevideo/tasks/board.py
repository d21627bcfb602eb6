"""What VisualDL shows of a run beside its curves: pictures with boxes, precision and recall, weights, the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from paddle import nn

from paddlevideo.loader.datasets import VideoDataset
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.board_graph import write_graph
from paddlevideo.tasks.journal import BOARD
from paddlevideo.tasks.report_counts import judge, truth_rows
from paddlevideo.types import Prediction
from paddlevideo.utils.drawing import draw_detections
from paddlevideo.utils.files import output_folder

SURE = 0.3  # least score of a box that is drawn
POINTS = 100  # of a curve
BUCKETS = 50  # of a histogram


@dataclass(frozen=True)
class Shown:
    """What is shown, see the top of this file.

    Args:
        images: test samples, evenly spread, that are drawn with detections and truths after each measurement.
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
        classes: class names.
    """

    def __init__(self, folder: Path, shown: Shown, classes: Sequence[str]) -> None:
        from visualdl import LogWriter  # its import takes seconds, so only training pays for it

        self.shown, self.classes = shown, classes
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

    def measurement(self, dataset: VideoDataset, predictions: dict[str, Prediction], step: int) -> None:
        """Show what became of a measurement.

        Args:
            dataset: the test set.
            predictions: of all its samples, by id.
            step: batches that the weights were trained on.
        """
        if self.writer is None:
            return
        if self.shown.pr_curves:
            self._curves(dataset, predictions, step)
        for index in np.linspace(0, len(dataset) - 1, min(self.shown.images, len(dataset))).astype(int).tolist():
            sample = dataset.annotation(index)
            name, rows = sample["meta"]["id"], truth_rows(sample["targets"])
            frame = dataset.frames(index, np.array([dataset.place(index).key]))[0]
            truth = {"boxes": rows[:, 1:], "labels": rows[:, 0].astype(np.int64)}
            picture = draw_detections(frame, truth, self.classes, color=(255, 255, 255))
            picture = draw_detections(picture, _sure(predictions[name]), self.classes)
            self.writer.add_image(f"test/{name}", picture, step)

    def _curves(self, dataset: VideoDataset, predictions: dict[str, Prediction], step: int) -> None:
        samples = [dataset.annotation(index) for index in range(len(dataset))]
        outcome = judge(
            [predictions[sample["meta"]["id"]] for sample in samples], [sample["targets"] for sample in samples]
        )
        missed = np.setdiff1d(np.arange(len(outcome.truths.label)), outcome.found)
        hits = np.concatenate([outcome.found >= 0, np.ones(len(missed), bool)])
        scores = np.concatenate([outcome.detections.score, np.zeros(len(missed))])
        label = np.concatenate([outcome.detections.label, outcome.truths.label[missed]])
        for name, rows in [("all", label >= 0), *((name, label == k) for k, name in enumerate(self.classes))]:
            if self.writer is not None and hits[rows].any():
                with _old_names_of_numpy():
                    self.writer.add_pr_curve(f"test/{name}", hits[rows].astype(int), scores[rows], step, POINTS)


def _sure(prediction: Prediction) -> Prediction:
    rows = prediction["scores"] >= SURE
    return {key: prediction[key][rows] for key in ("boxes", "labels", "scores")}


@contextmanager
def _old_names_of_numpy() -> Iterator[None]:
    """VisualDL 2.5 says `np.float`, which numpy does not know any more."""
    names: Any = np
    names.float = float
    try:
        yield
    finally:
        del names.float
