"""The metrics against what public evaluators printed for the same boxes.

Every truth is the real UCF101-24 annotation; the detections are made up. `metrics/frame_*` hold ties, a class without
detections, one without truths, and frames with only one of the two.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from paddlevideo.metrics import DetectionScore
from paddlevideo.metrics.frame_map import BoxTable, DetectionTable, evaluate
from paddlevideo.metrics.protocols import protocol_metrics
from paddlevideo.registry import METRICS
from tests.conftest import golden_path
from tests.golden.samples import class_names, frame_samples, frame_tables, read_arrays


def load(name):
    path = golden_path(f"metrics/{name}")
    return json.loads(path.read_text()) if path.suffix == ".json" else read_arrays(path)


def assert_same(results, expected, tolerance):
    """Counts and AP of every class, and their mean; classes are numbered from 1 in `expected`."""
    mean = []
    for number, wanted in expected["per_class"].items():
        got = results.pop(int(number) - 1, None)
        counts = (got.num_truths, got.true_positives, got.false_positives) if got else (0, 0, 0)
        assert counts == (wanted["npos"], wanted["tp"], wanted["fp"]), f"class {number}"
        if wanted["ap"] is None:
            assert got is None or np.isnan(got.ap)
        else:
            assert got.ap == pytest.approx(wanted["ap"], abs=tolerance, rel=0), f"class {number}"
            mean.append(got.ap)
    assert not results, "classes that the reference does not know"
    assert np.mean(mean) == pytest.approx(expected["mAP"], abs=tolerance, rel=0)


@pytest.mark.parametrize("size", ["fast", "full"])
def test_frame_map_of_ucf24(size):
    detections, truths = frame_tables(load(f"frame_det_{size}.npz"), load("ucf24_split1_gt.npz"))
    thresholds = load(f"frame_expected_{size}.json")["thresholds"]
    results = evaluate(detections, truths, [float(threshold) for threshold in thresholds])
    for result, expected in zip(results, thresholds.values(), strict=True):
        assert_same(result, expected, 1e-6)


def test_frame_map_of_hand_made_cases():
    cases = load("frame_micro_cases.json")
    assert cases
    for case in cases:
        names = sorted({row[0] for row in case["gt"] + case["det"]})
        rows = {side: [[names.index(name), *numbers] for name, *numbers in case[side]] for side in ("gt", "det")}
        truth = np.array(rows["gt"], dtype=np.float64).reshape(-1, 6)
        found = np.array(rows["det"], dtype=np.float64).reshape(-1, 7)
        truths = BoxTable(truth[:, 0].astype(np.int64), truth[:, 1].astype(np.int64) - 1, truth[:, 2:])
        image, label = found[:, 0].astype(np.int64), found[:, 1].astype(np.int64) - 1
        detections = DetectionTable(image, label, found[:, 3:], found[:, 2])
        results = evaluate(detections, truths, [float(threshold) for threshold in case["expected"]])
        for result, expected in zip(results, case["expected"].values(), strict=True):
            assert_same(result, expected, 1e-9)


@pytest.mark.parametrize("protocol", ["yowo", "yowo_plus"])
def test_frame_map_metric_from_fractions(protocol):
    """Through the class itself: float32 fractions of the frame, and ids that sort otherwise than the files did."""
    truth, thresholds = load("ucf24_split1_gt.npz"), load("frame_expected_fast.json")["thresholds"]
    classes, samples = class_names(truth), frame_samples(load("frame_det_fast.npz"), truth)
    node = next(node for node in protocol_metrics(protocol) if node["name"] == "FrameMAP")
    for threshold, expected in thresholds.items():
        metric = METRICS.build({**node, "iou_thresholds": [float(threshold)]}, classes=classes)
        metric.update(*samples)
        aps = {k: v["ap"] for k, v in expected["per_class"].items() if v["ap"] is not None}
        wanted = {f"AP/{classes[int(number) - 1]}": ap for number, ap in aps.items()}
        assert metric.accumulate() == pytest.approx({metric.primary: expected["mAP"], **wanted}, abs=1e-6, rel=0)


def test_detection_score_of_raw_boxes():
    given, expected = load("cls_loc_input.npz"), load("cls_loc_expected.json")
    num_classes = 1 + int(max(given["box_class0"].max(), given["truth_class0_cxcywh"][:, 0].max()))
    metric = DetectionScore([f"class {k}" for k in range(num_classes)])
    frames = len(given["box_offset"]) - 1
    records = {str(k): metric.record(*score_inputs(given, k), {"id": str(k)}) for k in range(frames)}
    total, proposals, detected, correct = np.sum(list(records.values()), axis=0)
    counts = {"total_gt": total, "proposals": proposals, "detected": detected}
    assert {**counts, "correct_class": correct, "correct": correct} == expected["counts"]
    numbers = metric.compute(records)
    assert set(numbers) == set(expected["printed"])
    for name, printed in expected["printed"].items():
        tolerance = 1e-5 if name == "fscore" else 1e-3  # some of the others were printed with three decimals
        assert numbers[name] == pytest.approx(printed, abs=tolerance, rel=0), name


def score_inputs(given, frame):
    """Prediction (boxes that survive the reference's NMS, in its order) and target of one frame."""
    start, stop = given["box_offset"][frame : frame + 2]
    rank = given["expect_nms_rank"][start:stop]
    kept = start + np.argsort(rank, kind="stable")[(rank < 0).sum() :]
    first, last = given["truth_offset"][frame : frame + 2]
    truth = given["truth_class0_cxcywh"][first:last]
    prediction = {
        "boxes": corners(given["box_cxcywh"][kept]),
        "labels": given["box_class0"][kept].astype(np.int64),
        "scores": given["box_det_conf"][kept] * given["box_cls_conf"][kept],
        "objectness": given["box_det_conf"][kept],
    }
    return prediction, {"boxes": corners(truth[:, 1:]), "labels": truth[:, 0].astype(np.int64)}


def corners(boxes):
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)
