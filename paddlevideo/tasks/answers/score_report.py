"""What a report shows of a test whose answers are scores of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from paddlevideo.loader.datasets import LabelledVideos
from paddlevideo.metrics.top_k_accuracy import Scored, join_views
from paddlevideo.tasks import report_page as html
from paddlevideo.tasks.result_file import Labelled
from paddlevideo.types import IntArray
from paddlevideo.utils.drawing import encode_picture, fit_picture

MATRIX_CLASSES, PAIRS, PICTURES = 40, 50, 12  # at most so many, so that the page stays small
PICTURE_SIZE = (240, 320)


def score_sections(dataset: LabelledVideos, samples: Sequence[Labelled]) -> Iterator[str]:
    """Which classes are taken for which, and the surest mistakes; views of a video count together.

    Raises:
        ValueError: the dataset does not have one of the samples.
    """
    numbers = {dataset.annotation(number)["meta"]["id"]: number for number in range(len(dataset))}
    strange = [meta["id"] for meta, _ in samples if meta["id"] not in numbers]
    if strange:
        raise ValueError(
            f"{len(strange)} samples, such as {strange[0]}, are not in the test set; use the DATASET.test that the "
            "scores are of"
        )
    places = {meta["video"]: numbers[meta["id"]] for meta, _ in samples}  # a view of each video
    labels = {name: int(dataset.annotation(place)["targets"]["labels"][0]) for name, place in places.items()}
    views = [Scored(meta["video"], prediction["scores"], labels[meta["video"]]) for meta, prediction in samples]
    scores, truth = join_views(views)
    shares = scores / (len(views) / len(scores))  # means over views
    guess = shares.argmax(1)
    names = list(dict.fromkeys(view.video for view in views))
    yield _confusions(guess, truth, dataset.classes)
    wrong = np.flatnonzero(guess != truth)
    worst = wrong[np.argsort(-shares[wrong, guess[wrong]], kind="stable")][:PICTURES]
    figures = [
        _figure(
            dataset,
            places[names[row]],
            f"{names[row]}: {dataset.classes[truth[row]]} {shares[row, truth[row]]:.2f}, taken for "
            f"{dataset.classes[guess[row]]} {shares[row, guess[row]]:.2f}",
        )
        for row in worst.tolist()
    ]
    yield html.section("Worst mistakes", "The highest scores of wrong classes.", html.pictures(figures))


def _confusions(guess: IntArray, truth: IntArray, classes: Sequence[str]) -> str:
    """All of them as a matrix, or those of many classes that happen most as a table."""
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (truth, guess), 1)
    if len(classes) <= MATRIX_CLASSES:
        note = "Rows are true classes, columns the surest ones; a number counts videos."
        return html.section("Confusions", note, html.matrix(list(classes), list(classes), counts))
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts.ravel(), kind="stable")[:PAIRS]
    rows = [
        (f"{classes[k // len(classes)]}, taken for {classes[k % len(classes)]}", counts.ravel()[k])
        for k in order.tolist()
        if counts.ravel()[k]
    ]
    note = f"What happens most, at most {PAIRS} pairs."
    return html.section("Confusions", note, html.table(("true class and the surest one", "videos"), rows))


def _figure(dataset: LabelledVideos, index: int, caption: str) -> str:
    """A frame of a video; without media, the reason."""
    try:
        frame = dataset.middle_frame(index)
    except (OSError, ValueError) as error:
        return html.picture(None, f"{caption} (no picture: {error})")
    return html.picture(encode_picture(fit_picture(frame, PICTURE_SIZE), "jpg"), caption)
