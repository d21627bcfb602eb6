"""AVA's mAP against the published evaluators, on their csv files."""

from __future__ import annotations

import json

import pytest

from paddlevideo.metrics.protocols import protocol_metrics
from paddlevideo.registry import METRICS
from tests.conftest import REPOSITORY, golden_path
from tests.golden.samples import ava_samples, label_map

CLASSES = (REPOSITORY / "data" / "ava" / "classes.txt").read_text().splitlines()


def test_the_evaluated_classes_are_those_of_the_label_map() -> None:
    numbers, names = label_map(golden_path("metrics/ava_labelmap_60.pbtxt"))
    ours = (REPOSITORY / "data" / "ava" / "evaluated.txt").read_text().splitlines()
    assert [CLASSES.index(name) + 1 for name in ours] == numbers
    assert names == ours


@pytest.mark.parametrize("mini", [False, True])
@pytest.mark.parametrize(("protocol", "result"), [("ava_challenge", "sorted_by_score"), ("ava_yowo", "file_order")])
def test_average_precision_of_every_class(
    protocol: str, result: str, mini: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)  # where the protocol finds the evaluated classes
    (node,) = protocol_metrics(protocol)
    metric = METRICS.build(node, classes=CLASSES)
    path = golden_path("metrics/ava_expected.json")
    metric.update(*ava_samples(path.parent, len(CLASSES), mini))
    expected = json.loads(path.read_text())["results"][result + ("_mini" if mini else "")]
    numbers = metric.accumulate()
    assert numbers["ava_map@0.5"] == pytest.approx(expected["mAP"], abs=1e-6)
    for number, ap in expected["per_class"].items():
        key = f"AP/{CLASSES[int(number) - 1]}"
        assert numbers.get(key) == (None if ap is None else pytest.approx(ap, abs=1e-6)), key
