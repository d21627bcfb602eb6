"""False positives on background frames, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.metrics.base import UnmeasurableError
from paddlevideo.registry import METRICS


def score(frames, **choices):
    """Numbers of frames, each the scores that were found and the labels that are there."""
    metric = METRICS.build({"name": "BackgroundFalsePositives", **choices}, classes=("Biking",))
    for number, (scores, labels) in enumerate(frames):
        metric.update([{"scores": np.array(scores)}], [{"labels": np.array(labels)}], [{"id": str(number)}])
    return metric.accumulate()


def test_only_frames_without_truths_count():
    frames = [([0.9, 0.4, 0.3], [-1]), ([], []), ([0.2], [-1, -1]), ([0.9] * 7, [-1, 0])]
    numbers = score(frames)  # 0.3 does not exceed 0.3
    assert numbers == {
        "background_false_positives": pytest.approx(2 / 3),
        "background_frames_with_detections": pytest.approx(1 / 3),
    }
    assert score(frames, confidence=0.1)["background_false_positives"] == pytest.approx(4 / 3)


def test_padding_rows_of_several_labels_are_no_truths():
    frames = [([0.9], np.full((1, 3), -1)), ([0.9], [[0, 0, 1]])]
    assert score(frames)["background_false_positives"] == 1


def test_no_background():
    with pytest.raises(UnmeasurableError, match=r"each of the 1 samples has one; set DATASET\.test\.background=1"):
        score([([0.9], [0])])
