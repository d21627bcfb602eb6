"""AVA's mAP against the published evaluators, on their csv files."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from paddlevideo.metrics import AVAMAP
from tests.conftest import REPOSITORY, golden_path

CLASSES = (REPOSITORY / "data" / "ava" / "classes.txt").read_text().splitlines()


def rows_of(name: str) -> list[list[str]]:
    with golden_path(f"metrics/{name}").open(newline="") as file:
        return [row for row in csv.reader(file) if row]


def by_frame(name: str, mini: bool) -> dict[str, npt.NDArray[np.float64]]:
    """Rows `x1, y1, x2, y2, class id, last column` of every frame that is not excluded, in file order."""
    excluded = {f"{video},{int(second):04d}" for video, second in rows_of("ava_excluded.csv")}
    frames: dict[str, list[list[float]]] = {}
    for video, second, *numbers in rows_of(name):
        key = f"{video},{int(float(second)):04d}"
        if key not in excluded and not (mini and int(float(second)) % 4):
            frames.setdefault(key, []).append([float(number) for number in numbers])
    return {key: np.array(rows) for key, rows in frames.items()}


def test_the_evaluated_classes_are_those_of_the_label_map() -> None:
    text = golden_path("metrics/ava_labelmap_60.pbtxt").read_text()
    official = [int(number) for number in re.findall(r"label_id: (\d+)", text)]
    ours = (REPOSITORY / "data" / "ava" / "evaluated.txt").read_text().splitlines()
    assert [CLASSES.index(name) + 1 for name in ours] == official
    assert re.findall(r'name: "(.*)"', text) == ours


@pytest.mark.parametrize("mini", [False, True])
@pytest.mark.parametrize("order", ["score", "file"])
def test_average_precision_of_every_class(order: Any, mini: bool) -> None:
    metric = AVAMAP(CLASSES, evaluated=str(REPOSITORY / "data" / "ava" / "evaluated.txt"), order=order)
    truths, detections = by_frame("ava_gt.csv", mini), by_frame("ava_det.csv", mini)
    for key in {**truths, **detections}:
        true = truths.get(key, np.zeros((0, 6)))
        labels = np.full((max(len(true), 1), len(CLASSES)), -1)
        if len(true):
            labels = (np.arange(len(CLASSES)) == true[:, 4:5] - 1).astype(int)
        found = detections.get(key, np.zeros((0, 6)))
        prediction = {"boxes": found[:, :4], "labels": found[:, 4].astype(int) - 1, "scores": found[:, 5]}
        boxes = true[:, :4] if len(true) else np.zeros((1, 4))
        metric.update([prediction], [{"boxes": boxes, "labels": labels}], [{"id": key}])
    name = {"score": "sorted_by_score", "file": "file_order"}[order] + ("_mini" if mini else "")
    expected = json.loads(golden_path("metrics/ava_expected.json").read_text())["results"][name]
    numbers = metric.accumulate()
    assert numbers["ava_map@0.5"] == pytest.approx(expected["mAP"], abs=1e-6)
    for number, ap in expected["per_class"].items():
        key = f"AP/{CLASSES[int(number) - 1]}"
        assert numbers.get(key) == (None if ap is None else pytest.approx(ap, abs=1e-6)), key
