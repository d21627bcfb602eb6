"""A score for each class of a whole clip or video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import cast

import numpy as np

from paddlevideo.loader.datasets import LabelledVideos, SampleDataset
from paddlevideo.loader.media.live import FrameStream, Source
from paddlevideo.registry import ANSWERS
from paddlevideo.tasks.answers.base import Answers, Curve, StreamOptions
from paddlevideo.tasks.answers.score_report import score_sections
from paddlevideo.tasks.result_file import Labelled, ResultFile, Sink
from paddlevideo.tasks.score_file import read_scores, score_writer
from paddlevideo.tasks.writers import ScoreWriter, Window, surest
from paddlevideo.types import Frames, Prediction
from paddlevideo.utils.drawing import draw_classes

SHOWN = 3  # classes on a picture for VisualDL


@ANSWERS.register
class ScoreAnswers(Answers):
    """Predictions are `scores [C]`; see `tasks/score_file.py`."""

    file_name = "scores.jsonl"

    def count_classes(self, prediction: Prediction) -> int:
        """See `Answers`."""
        return len(prediction["scores"])

    def writer(self, path: Path) -> AbstractContextManager[Sink]:
        """See `score_writer`."""
        return score_writer(path, self.classes)

    def read(self, path: Path) -> ResultFile:
        """See `read_scores`."""
        return read_scores(path)

    def sections(
        self, dataset: SampleDataset, samples: Sequence[Labelled], numbers: Mapping[str, float]
    ) -> Iterator[str]:
        """Confusions, and the worst mistakes."""
        yield from score_sections(cast(LabelledVideos, dataset), samples)

    def picture(self, dataset: SampleDataset, index: int, prediction: Prediction) -> Frames | None:
        """A frame of the video with the true class and, below it, the surest ones."""
        videos = cast(LabelledVideos, dataset)
        label = int(videos.annotation(index)["targets"]["labels"][0])
        told = [(label, 1.0), *surest(prediction["scores"], SHOWN)]
        return draw_classes(videos.middle_frame(index), told, self.classes)

    def curves(self, dataset: SampleDataset, predictions: Mapping[str, Prediction]) -> Iterator[Curve]:
        """Each class against all others."""
        annotations = [dataset.annotation(index) for index in range(len(dataset))]
        labels = np.array([int(one["targets"]["labels"][0]) for one in annotations])
        scores = np.stack([predictions[one["meta"]["id"]]["scores"] for one in annotations]).astype(np.float64)
        hits = labels[:, None] == np.arange(len(self.classes))
        yield Curve("all", hits.ravel(), scores.ravel())
        for number, name in enumerate(self.classes):
            yield Curve(name, hits[:, number], scores[:, number])

    def stream_writer(self, folder: Path, source: Source, options: StreamOptions, stop: Event) -> ScoreWriter:
        """An mp4 with the surest classes, JSON lines, and a window if asked for."""
        stream = cast(FrameStream, source)
        window = Window(stream.name, stop) if options.show else None
        return ScoreWriter(folder, stream.name, self.classes, stream.fps, options.top, options.threshold or 0.0, window)
