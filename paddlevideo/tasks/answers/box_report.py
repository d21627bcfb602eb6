"""What a report shows of a test whose answers are boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from paddlevideo.loader.datasets import VideoDataset
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.tasks import report_page as html
from paddlevideo.tasks.report_counts import (
    IOU,
    Outcome,
    confusion,
    curve,
    judge,
    reason,
    video_counts,
    worst_false,
    worst_misses,
)
from paddlevideo.tasks.result_file import Labelled
from paddlevideo.types import IntArray
from paddlevideo.utils.drawing import draw_detections, encode_picture, fit_picture

CURVES, MATRIX_CLASSES, VIDEOS, PICTURES = 100, 40, 1000, 12  # at most so many of each, so that the page stays small
PICTURE_SIZE = (240, 320)
GREEN, RED = (80, 220, 80), (255, 90, 80)


@dataclass(frozen=True)
class _Boxes:
    """A test whose answers are boxes.

    Args:
        dataset: the test set.
        ids: of the samples that were tested.
        places: their numbers in the dataset.
        videos: names.
        video: `[S]`, number of the video of each sample.
        outcome: of its detections.
    """

    dataset: VideoDataset
    ids: Sequence[str]
    places: Sequence[int]
    videos: Sequence[str]
    video: IntArray
    outcome: Outcome


def _boxes(dataset: VideoDataset, samples: Sequence[Labelled]) -> _Boxes:
    """Compare predictions with what the dataset says.

    Raises:
        ValueError: the dataset does not have one of the samples.
    """
    ids = [meta["id"] for meta, _ in samples]
    annotations = [dataset.annotation(number) for number in range(len(dataset))]
    numbers = {annotation["meta"]["id"]: number for number, annotation in enumerate(annotations)}
    strange = [name for name in ids if name not in numbers]
    if strange:
        raise ValueError(
            f"{len(strange)} samples, such as {strange[0]}, are not in the test set; use the DATASET.test that the "
            "detections are of"
        )
    places = [numbers[name] for name in ids]
    targets = [annotations[place]["targets"] for place in places]
    videos, video = np.unique([name.rpartition("/")[0] or name for name in ids], return_inverse=True)
    outcome = judge([prediction for _, prediction in samples], targets)
    return _Boxes(dataset, ids, places, videos.tolist(), video, outcome)


def box_sections(dataset: VideoDataset, samples: Sequence[Labelled]) -> Iterator[str]:
    """What a report says of boxes: curves, confusions, videos and the worst mistakes.

    Raises:
        ValueError: the dataset does not have one of the samples.
    """
    boxes = _boxes(dataset, samples)
    outcome, classes = boxes.outcome, boxes.dataset.classes
    yield _curves(outcome, classes)
    yield _confusion(outcome, classes)
    yield _videos(outcome, boxes.videos, boxes.video)
    yield _false_detections(boxes)
    yield _misses(boxes)


def _curves(outcome: Outcome, classes: Sequence[str]) -> str:
    counts = np.bincount(outcome.truths.label, minlength=len(classes))
    shown = np.sort(np.argsort(-counts, kind="stable")[:CURVES])
    points = {f"{classes[k]}, {counts[k]} boxes": curve(outcome, k) for k in shown.tolist() if counts[k]}
    note = (
        "Precision (upwards, 0 to 1) over recall (to the right, 0 to 1), a detection being right if it overlaps a "
        f"truth of its class by at least {IOU}. {_more(int((counts > 0).sum()), len(points), 'classes')}"
    )
    return html.section("Precision and recall", note, html.curves(points))


def _confusion(outcome: Outcome, classes: Sequence[str]) -> str:
    counts = confusion(outcome, len(classes))
    names = list(classes)
    if len(classes) > MATRIX_CLASSES:
        kept = np.sort(np.argsort(-counts[:-1].sum(1), kind="stable")[:MATRIX_CLASSES])
        others = np.setdiff1d(np.arange(len(classes)), kept)
        counts = np.concatenate([counts[kept], counts[others].sum(0, keepdims=True), counts[-1:]])
        counts = np.column_stack([counts[:, kept], counts[:, others].sum(1), counts[:, -1]])
        names = [*(classes[k] for k in kept.tolist()), f"{len(others)} others"]
    note = (
        f"Rows are annotated classes, columns detected ones. Detections count from a score of {outcome.threshold:.3f} "
        f"on, where their F-score is best. Each takes a truth of its class that it overlaps by at least {IOU}; those "
        "left over take any truth left over. The last row are detections without a truth, the last column truths "
        "without a detection."
    )
    content = html.matrix([*names, "(nothing)"], [*names, "(not found)"], counts)
    return html.section("Confusions", note, content)


def _videos(outcome: Outcome, videos: Sequence[str], video: IntArray) -> str:
    counts = video_counts(outcome, video)
    frames = np.bincount(video)
    errors = counts[:, 0] - counts[:, 1] + counts[:, 2]
    shown = np.argsort(-errors, kind="stable")[:VIDEOS].tolist()
    rows = [
        (videos[k], frames[k], truths, found, truths - found, false)
        for k, (truths, found, false) in zip(shown, counts[shown].tolist(), strict=True)
    ]
    note = f"The one with most mistakes first, at the same score as above. {_more(len(videos), len(rows), 'videos')}"
    return html.section("Videos", note, html.table(("video", "frames", "boxes", "found", "missed", "false"), rows))


def _more(count: int, shown: int, what: str) -> str:
    return "" if count <= shown else f"{shown} of {count} {what} are shown."


def _false_detections(boxes: _Boxes) -> str:
    detections, classes = boxes.outcome.detections, boxes.dataset.classes
    figures = []
    for row in worst_false(boxes.outcome, boxes.video, PICTURES).tolist():
        said = f"{classes[detections.label[row]]} {detections.score[row]:.2f}; {reason(boxes.outcome, row, classes)}"
        figures.append(_figure(boxes, int(detections.image[row]), np.array([row]), said))
    note = "The highest scores, one of each video. Green: truths. Red: the false detection."
    return html.section("Worst false detections", note, html.pictures(figures))


def _misses(boxes: _Boxes) -> str:
    detections, truths = boxes.outcome.detections, boxes.outcome.truths
    figures = []
    for row in worst_misses(boxes.outcome, boxes.video, PICTURES).tolist():
        sample = int(truths.image[row])
        shown = np.flatnonzero((detections.image == sample) & boxes.outcome.counted)
        figures.append(_figure(boxes, sample, shown, boxes.dataset.classes[truths.label[row]]))
    note = "The largest boxes on which no detection lies, one of each video. Green: truths. Red: detections."
    return html.section("Worst misses", note, html.pictures(figures))


def _figure(boxes: _Boxes, sample: int, shown: IntArray, said: str) -> str:
    """The key frame of a sample with its truths and the detections `shown`; without media, the reason."""
    detections, truths, classes = boxes.outcome.detections, boxes.outcome.truths, boxes.dataset.classes
    there = truths.image == sample
    found = {"boxes": detections.boxes[shown], "labels": detections.label[shown], "scores": detections.score[shown]}
    true = {"boxes": truths.boxes[there], "labels": truths.label[there]}
    caption = f"{boxes.ids[sample]}: {said}"
    try:
        place = boxes.dataset.place(boxes.places[sample])
        frame = open_source(place.path, place.num_frames).read(np.array([place.key]))[0]
    except (OSError, ValueError) as error:
        return html.picture(None, f"{caption} (no picture: {error})")
    picture = draw_detections(fit_picture(frame, PICTURE_SIZE), true, classes, GREEN)
    return html.picture(encode_picture(draw_detections(picture, found, classes, RED), "jpg"), caption)
