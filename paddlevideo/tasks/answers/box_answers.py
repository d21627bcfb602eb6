"""Boxes with labels and scores on frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import cast

import numpy as np

from paddlevideo.loader.datasets import SampleDataset, VideoDataset
from paddlevideo.loader.media.live import FrameStream, Source
from paddlevideo.registry import ANSWERS
from paddlevideo.tasks.answers.base import Answers, Curve, StreamOptions
from paddlevideo.tasks.answers.box_report import box_sections
from paddlevideo.tasks.detection_file import detection_writer, read_detections
from paddlevideo.tasks.report_counts import judge, truth_rows
from paddlevideo.tasks.result_file import Labelled, ResultFile, Sink
from paddlevideo.tasks.tracks import TubeLinker
from paddlevideo.tasks.writers import DetectionWriter, Window
from paddlevideo.types import Frames, Prediction
from paddlevideo.utils.drawing import draw_detections

SURE = 0.3  # least score of a box that is drawn


@ANSWERS.register
class BoxAnswers(Answers):
    """Predictions are `boxes [K, 4]` as fractions, `labels [K]`, `scores [K]`; see `tasks/detection_file.py`."""

    file_name = "detections.jsonl"

    def count_classes(self, prediction: Prediction) -> int:
        """See `Answers`."""
        return (
            prediction["probabilities"].shape[1] if "probabilities" in prediction else super().count_classes(prediction)
        )

    def writer(self, path: Path) -> AbstractContextManager[Sink]:
        """See `detection_writer`."""
        return detection_writer(path, self.classes)

    def read(self, path: Path) -> ResultFile:
        """See `read_detections`."""
        return read_detections(path)

    def sections(
        self, dataset: SampleDataset, samples: Sequence[Labelled], numbers: Mapping[str, float]
    ) -> Iterator[str]:
        """Curves, confusions, videos and the worst mistakes."""
        yield from box_sections(cast(VideoDataset, dataset), samples)

    def picture(self, dataset: SampleDataset, index: int, prediction: Prediction) -> Frames | None:
        """The key frame with truths in white and sure detections in the colours of their classes."""
        clips = cast(VideoDataset, dataset)
        rows = truth_rows(clips.annotation(index)["targets"])
        frame = clips.frames(index, np.array([clips.place(index).key]))[0]
        truth = {"boxes": rows[:, 1:], "labels": rows[:, 0].astype(np.int64)}
        picture = draw_detections(frame, truth, self.classes, color=(255, 255, 255))
        sure = prediction["scores"] >= SURE
        found = {key: prediction[key][sure] for key in ("boxes", "labels", "scores")}
        return draw_detections(picture, found, self.classes)

    def curves(self, dataset: SampleDataset, predictions: Mapping[str, Prediction]) -> Iterator[Curve]:
        """A detection hits if it finds a truth of its class."""
        samples = [dataset.annotation(index) for index in range(len(dataset))]
        outcome = judge(
            [predictions[sample["meta"]["id"]] for sample in samples], [sample["targets"] for sample in samples]
        )
        missed = np.setdiff1d(np.arange(len(outcome.truths.label)), outcome.found)
        hits = np.concatenate([outcome.found >= 0, np.ones(len(missed), bool)])
        scores = np.concatenate([outcome.detections.score, np.zeros(len(missed))])
        label = np.concatenate([outcome.detections.label, outcome.truths.label[missed]])
        for name, rows in [("all", label >= 0), *((name, label == k) for k, name in enumerate(self.classes))]:
            yield Curve(name, hits[rows], scores[rows])

    def stream_writer(self, folder: Path, source: Source, options: StreamOptions, stop: Event) -> DetectionWriter:
        """An annotated mp4, JSON lines, tubes, and a table and a window if asked for."""
        stream = cast(FrameStream, source)
        linker = TubeLinker(patience=options.patience)
        window = Window(stream.name, stop) if options.show else None
        threshold = SURE if options.threshold is None else options.threshold
        return DetectionWriter(folder, stream.name, self.classes, stream.fps, threshold, linker, options.table, window)
