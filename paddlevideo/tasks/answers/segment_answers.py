"""Segments of time with scores, in the JSON of ActivityNet.

    {"version": "VERSION 1.3", "results": {"a": [{"segment": [3.1, 9.8], "score": 0.93}, ...]}, "external_data": {}}

Segments are seconds, the best first; `label` is the name of the class, where a model knows one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from paddlevideo.loader.datasets import SampleDataset
from paddlevideo.loader.media.live import Source
from paddlevideo.modeling.segments import segment_iou
from paddlevideo.registry import ANSWERS
from paddlevideo.tasks import report_page as html
from paddlevideo.tasks.answers.base import Answers, StreamOptions
from paddlevideo.tasks.result_file import Labelled, ResultFile, Sink
from paddlevideo.types import Arrays, Frames, Meta, Prediction, Sample
from paddlevideo.utils.drawing import color_of, encode_picture, write_picture
from paddlevideo.utils.files import check_size, to_json, write_text
from paddlevideo.utils.logging import logger
from paddlevideo.utils.text_files import load_json
from paddlevideo.utils.timeline import Bar, draw_timeline

VERSION = "VERSION 1.3"
LARGEST = 1 << 28  # bytes of a file of results
REMEDY = "write the file anew with main.py --test"
SHOWN = 10  # segments of a picture, at most
PICTURES = 12  # of a report
TRUTH = (60, 60, 60)


@ANSWERS.register
class SegmentAnswers(Answers):
    """Predictions are `segments [K, 2]` in seconds and `scores [K]`, and maybe `labels [K]`."""

    file_name = "segments.json"

    @contextmanager
    def writer(self, path: Path) -> Iterator[Sink]:
        """What takes the answers of all videos, which are written when the context ends."""
        results: dict[str, list[dict[str, Any]]] = {}

        def keep(meta: Meta, prediction: Prediction) -> None:
            results[meta["id"]] = self.rows(meta, prediction)

        yield keep
        write_results(path, results)

    def rows(self, meta: Meta, prediction: Prediction) -> list[dict[str, Any]]:
        """What the file says of a video.

        Raises:
            ValueError: a number is not finite.
        """
        columns = [prediction["segments"].tolist(), prediction["scores"].tolist()]
        if not all(np.isfinite(column).all() for column in columns):
            raise ValueError(f"{meta['id']}: prediction should be finite, got nan or inf; check the weights")
        rows = [{"segment": segment, "score": score} for segment, score in zip(*columns, strict=True)]
        for row, label in zip(rows, prediction.get("labels", np.zeros(0, np.int64)).tolist(), strict=False):
            row["label"] = self.classes[label]
        return rows

    def read(self, path: Path) -> ResultFile:
        """What such a file says; its classes are those of the config, as it has no list of them.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a malformed file; names the video.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file of segments; main.py --test writes it to output_dir/test")
        check_size(path, LARGEST)
        try:
            results = load_json(path)["results"]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}: expected JSON with `results` by video ({error}); {REMEDY}") from error
        if not isinstance(results, dict):
            raise ValueError(f"{path}: results should be by video, got {type(results).__name__}; {REMEDY}")
        return ResultFile(
            tuple(self.classes),
            [({"id": video}, self._prediction(path, video, rows)) for video, rows in results.items()],
        )

    def _prediction(self, path: Path, video: str, rows: Any) -> Prediction:
        try:
            prediction = {
                "segments": np.array([row["segment"] for row in rows], np.float64).reshape(-1, 2),
                "scores": np.array([row["score"] for row in rows], np.float64),
            }
            if any("label" in row for row in rows):
                prediction["labels"] = np.array([self.classes.index(row["label"]) for row in rows], np.int64)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"{path}: {video}: expected segments with scores ({error}); {REMEDY}") from error
        if not all(np.isfinite(column).all() for column in prediction.values()):
            raise ValueError(f"{path}: {video}: expected finite numbers, got nan or inf; {REMEDY}")
        return prediction

    def sections(
        self, dataset: SampleDataset, samples: Sequence[Labelled], numbers: Mapping[str, float]
    ) -> Iterator[str]:
        """Timelines of the videos whose actions were found worst."""
        places = {dataset.annotation(number)["meta"]["id"]: number for number in range(len(dataset))}
        strange = [meta["id"] for meta, _ in samples if meta["id"] not in places]
        if strange:
            raise ValueError(
                f"{len(strange)} samples, such as {strange[0]}, are not in the test set; use the DATASET.test that the "
                "segments are of"
            )
        found = [_found(dataset.annotation(places[meta["id"]])["targets"], prediction) for meta, prediction in samples]
        figures = []
        for number in np.argsort(found, kind="stable")[:PICTURES].tolist():
            meta, prediction = samples[number]
            picture = encode_picture(self.picture(dataset, places[meta["id"]], prediction), "jpg")
            figures.append(html.picture(picture, f"{meta['id']}: {found[number]:.2f}"))
        note = (
            f"The videos whose actions the best {SHOWN} segments overlap least, with the mean IoU of each action's "
            "best segment. Dark bars: annotated segments."
        )
        yield html.section("Videos", note, html.pictures(figures))

    def picture(self, dataset: SampleDataset, index: int, prediction: Prediction) -> Frames:
        """A timeline of what is true and the best segments."""
        annotation = dataset.annotation(index)
        targets, meta = annotation["targets"], annotation["meta"]
        pairs = zip(targets["segments"].tolist(), targets["labels"].tolist(), strict=True)
        truths = [
            Bar(start, end, f"{_times(start, end)}  {self.classes[label]}", TRUTH) for (start, end), label in pairs
        ]
        return draw_timeline(meta["id"], meta["duration"], [*truths, *self.bars(prediction)])

    def bars(self, prediction: Prediction) -> list[Bar]:
        """Of the best segments, coloured by class, else by score."""
        labels = prediction.get("labels")
        bars = []
        for row in np.argsort(-prediction["scores"], kind="stable")[:SHOWN].tolist():
            start, end = prediction["segments"][row].tolist()
            score = float(prediction["scores"][row])
            name = "" if labels is None else f"  {self.classes[int(labels[row])]}"
            shade = round(200 * (1 - min(max(score, 0.0), 1.0)))
            color = (shade, shade, 255) if labels is None else color_of(int(labels[row]), len(self.classes))
            bars.append(Bar(start, end, f"{_times(start, end)}  {score:.2f}{name}", color))
        return bars

    def stream_writer(self, folder: Path, source: Source, options: StreamOptions, stop: Event) -> SegmentWriter:
        """A JSON file and a timeline, called after the source."""
        return SegmentWriter(self, folder, source.name, options.threshold or 0.0)


class SegmentWriter:
    """The files about one video: `NAME.segments.json`, as a test writes it, and `NAME.png`, the best ones over time.

    Args:
        answers: the kind of answers.
        folder: where the files go.
        name: of the video.
        threshold: segments below this score are left out.
    """

    def __init__(self, answers: SegmentAnswers, folder: Path, name: str, threshold: float) -> None:
        self.answers, self.folder, self.name, self.threshold = answers, folder, name, threshold

    def write(self, sample: Sample, prediction: Prediction | None) -> None:
        """Write the files; `sample` has `meta` with the `duration` in seconds."""
        if prediction is None:
            return
        meta = sample["meta"]
        sure = prediction["scores"] >= self.threshold
        kept = {key: value[sure] for key, value in prediction.items()}
        write_results(self.folder / f"{self.name}.segments.json", {self.name: self.answers.rows(meta, kept)})
        bars = self.answers.bars(kept)
        write_picture(self.folder / f"{self.name}.png", draw_timeline(self.name, meta["duration"], bars))
        best = f", the best {bars[0].text}" if bars else ""
        path = self.folder / self.name
        logger.info("%s: %d segments%s; wrote %s.{segments.json,png}", self.name, sure.sum(), best, path)

    def close(self) -> None:
        """The files are complete already."""


def write_results(path: Path, results: dict[str, list[dict[str, Any]]]) -> None:
    """Write the JSON of ActivityNet, see the top of this file."""
    content = {"version": VERSION, "results": results, "external_data": {}}
    write_text(path, to_json(content, str(path)) + "\n")


def _found(targets: Arrays, prediction: Prediction) -> float:
    """Mean IoU of each true segment's best one among those that are shown; 1 without truths."""
    best = np.argsort(-prediction["scores"], kind="stable")[:SHOWN]
    if not len(targets["segments"]):
        return 1.0
    iou = segment_iou(targets["segments"][:, None], prediction["segments"][best])
    return float(iou.max(1, initial=0.0).mean())


def _times(start: float, end: float) -> str:
    return f"{start:.1f} - {end:.1f} s"
