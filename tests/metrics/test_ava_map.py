"""What AVA's mAP asks of its arguments and samples; the numbers are in the golden tests."""

from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.metrics import AVAMAP
from paddlevideo.metrics.base import UnmeasurableError

CLASSES = ("stand", "sit", "talk")
BOX = [[0.1, 0.1, 0.5, 0.9]]


def score(labels, scores, **choices):
    """Numbers of one frame: labels `[N, C]` of truths, and a detection of the same box for each of `scores`."""
    metric = AVAMAP(CLASSES, **choices)
    found = {"boxes": np.array(BOX * len(scores)), "labels": np.arange(len(scores)), "scores": np.array(scores)}
    metric.update([found], [{"boxes": np.array(BOX * len(labels)), "labels": np.array(labels)}], [{"id": "a,0902"}])
    return metric.accumulate()


def test_a_box_counts_once_for_each_of_its_labels():
    assert score([[1, 0, 1]], [0.9, 0.8]) == {"ava_map@0.5": 0.5, "AP/stand": 1.0, "AP/talk": 0.0}
    assert AVAMAP(CLASSES, iou_threshold=0.75).primary == "ava_map@0.75"


def test_only_evaluated_classes_count(tmp_path):
    (tmp_path / "some.txt").write_text("stand\nsit\n")
    numbers = {"ava_map@0.5": 1.0, "AP/stand": 1.0}
    assert score([[1, 0, 1]], [0.9, 0.8], evaluated=str(tmp_path / "some.txt")) == numbers
    assert score([[1, 0, 1]], [0.9, 0.8], evaluated=["stand"]) == numbers


def test_what_cannot_be_counted(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"METRIC AVAMAP: evaluated: no file .*gone\.txt; .*one class name a line"
    ):
        AVAMAP(CLASSES, evaluated=str(tmp_path / "gone.txt"))
    for threshold in (0, 1.5):
        with pytest.raises(ValueError, match=f"iou_threshold should be above 0 and at most 1, got {threshold}"):
            AVAMAP(["sit"], iou_threshold=threshold)
    with pytest.raises(ValueError, match="evaluated has 'run', which is none of"):
        AVAMAP(CLASSES, evaluated=["run"])
    with pytest.raises(
        UnmeasurableError, match=r"a,0902: .* expects labels \[N, C\] .*, got \[1\]; set multi_label: true"
    ):
        score([0], [0.9])
    with pytest.raises(UnmeasurableError, match="none of the 1 test frames has"):
        score([[0, 0, 1]], [0.9], evaluated=["stand"])
