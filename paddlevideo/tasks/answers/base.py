"""What a test, a run and a prediction ask of any kind of answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from paddlevideo.loader.datasets import SampleDataset
from paddlevideo.loader.media.live import Source
from paddlevideo.tasks.result_file import Labelled, ResultFile, Sink
from paddlevideo.tasks.writers import check_screen
from paddlevideo.types import Frames, Prediction, Sample


class Curve(NamedTuple):
    """How right answers are spread over scores: a row for each answer, and for each truth without one with score 0."""

    name: str
    hits: npt.NDArray[np.bool_]  # [R]
    scores: npt.NDArray[np.float64]  # [R]


def check_threshold(value: float) -> None:
    """Refuse a least score that nothing, or everything, would reach.

    Raises:
        ValueError: it is no score.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"threshold should be a score in 0..1, got {value}")


@dataclass(frozen=True)
class StreamOptions:
    """How streams are predicted.

    Args:
        threshold: answers below this score are left out.
        batch_size: samples that go through the network together; they come from as many streams as there are.
        stride: the network runs on the first of every so many frames, and its answer is held for the others.
        realtime: drop the oldest waiting frames when the network is too slow.
        patience: frames in a row that a track may miss before it ends.
        table: whether to write a CSV file, too.
        show: whether to show the pictures in a window.
        top: classes that are told of each answer, the surest ones.

    Raises:
        ValueError: a number that cannot be.
        RuntimeError: pictures cannot be shown here.
    """

    threshold: float | None = None  # None leaves it to the kind of answers
    batch_size: int = 1
    stride: int = 1
    realtime: bool = False
    patience: int = 25
    table: bool = False
    show: bool = False
    top: int = 5

    def __post_init__(self) -> None:
        for name in ("batch_size", "stride", "top"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} should be at least 1, got {getattr(self, name)}")
        if self.patience < 0:
            raise ValueError(f"patience should be at least 0 frames, got {self.patience}")
        if self.threshold is not None:
            check_threshold(self.threshold)
        if self.realtime and self.batch_size > 1:
            raise ValueError(f"batch_size should be 1 with realtime, as frames must not wait, got {self.batch_size}")
        if self.show:
            check_screen()


class StreamWriter(Protocol):
    """The files about one stream."""

    def write(self, sample: Sample, prediction: Prediction | None) -> None:
        """Add the next sample; `prediction` is None if the network did not look at it."""

    def close(self) -> None:
        """Finish the files."""


class Answers(ABC):
    """A kind of answers: how they are kept, read, shown and written.

    Args:
        classes: class names.
    """

    file_name: str  # of what a test writes beside its numbers

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)

    def count_classes(self, prediction: Prediction) -> int:
        """How many classes a prediction speaks of, at least."""
        return int(prediction["labels"].max(initial=-1)) + 1 if "labels" in prediction else 0

    @abstractmethod
    def writer(self, path: Path) -> AbstractContextManager[Sink]:
        """What writes a test's samples to a new file, which is at its place when the context ends without an error.

        Raises:
            ValueError: a prediction is not finite.
        """

    @abstractmethod
    def read(self, path: Path) -> ResultFile:
        """What `writer` wrote, checked.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a malformed file; names the line.
        """

    def sections(
        self, dataset: SampleDataset, samples: Sequence[Labelled], numbers: Mapping[str, float]
    ) -> Iterator[str]:
        """What a report has beside numbers, as parts of its page (`tasks/report_page.py`).

        Args:
            dataset: the test set, which says what is true.
            samples: meta and prediction of its samples.
            numbers: those of the metrics.

        Raises:
            ValueError: the dataset does not have one of the samples.
        """
        yield from ()

    def picture(self, dataset: SampleDataset, index: int, prediction: Prediction) -> Frames | None:
        """A test sample `[H, W, 3]` with its truth and what was predicted, for VisualDL; None if there is none."""
        return None

    def curves(self, dataset: SampleDataset, predictions: Mapping[str, Prediction]) -> Iterator[Curve]:
        """Precision over recall for VisualDL, of all classes and of each.

        Args:
            dataset: the test set.
            predictions: of all its samples, by id.
        """
        yield from ()

    @abstractmethod
    def stream_writer(self, folder: Path, source: Source, options: StreamOptions, stop: Event) -> StreamWriter:
        """The files that tools/predict.py writes about a source.

        Args:
            folder: where they go, called after the source.
            source: a stream of frames, or whatever else the dataset that predicts reads.
            options: see there.
            stop: may be set to end the run.
        """
