"""Recall of proposals and mAP of labelled segments against the official tool of ActivityNet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.metrics import ProposalRecall, SegmentMAP
from paddlevideo.metrics.base import Metric
from tests.conftest import golden_names
from tests.golden.temporal import FOLDER, read_arrays, read_json

RATES = {"AR@1": "AR1", "AR@5": "AR5", "AR@10": "AR10", "AR@100": "AR100", "AUC": "AUC"}
Rows = dict[str, list[dict[str, Any]]]


def fill(metric: Metric, results: Rows, truth: dict[str, Any], classes: list[str]) -> None:
    """Give a metric all videos of the result file or of the subset `validation`."""
    database = {name: node for name, node in truth["database"].items() if node["subset"] == "validation"}
    for video in [*results, *(name for name in database if name not in results)]:
        found, there = results.get(video, []), database.get(video, {}).get("annotations", [])
        prediction = {**columns(found, classes), "scores": np.array([row["score"] for row in found])}
        metric.update([prediction], [columns(there, classes)], [{"id": video}])


def columns(rows: list[dict[str, Any]], classes: list[str]) -> dict[str, np.ndarray]:
    labels = [classes.index(row["label"]) if row.get("label") in classes else 0 for row in rows]
    segments = np.array([row["segment"] for row in rows], np.float64).reshape(-1, 2)
    return {"segments": segments, "labels": np.array(labels, np.int64)}


def proposals_of(case: dict[str, Any]) -> Rows:
    """Those of the case, or of the reference's BMN."""
    if "result" in case:
        return case["result"]["results"]
    finals = {name: rows for name, rows in read_arrays("bmn_postprocess.npz").items() if name.endswith(".final")}
    return {
        name.removeprefix("v_").removesuffix(".final"): [
            {"score": score, "segment": segment} for score, *segment in rows.tolist()
        ]
        for name, rows in finals.items()
    }


def numbers_of_cases(path: Path) -> list[str]:
    return [str(number) for number in range(len(json.loads(path.read_text())))]


@pytest.mark.parametrize("number", golden_names(f"{FOLDER}/anet_proposal_eval.json", numbers_of_cases))
def test_proposal_recall(number: str) -> None:
    case = read_json("anet_proposal_eval.json")[int(number)]
    metric, expected = ProposalRecall(), case["metrics"]
    fill(metric, proposals_of(case), case["ground_truth"], [])
    numbers = metric.accumulate()
    assert {name: 100 * numbers[name] for name in RATES} == pytest.approx(
        {ours: expected[theirs] for ours, theirs in RATES.items()}, abs=1e-9
    )
    recall, count = metric.curve(metric.records)
    np.testing.assert_allclose(recall, expected["avg_recall"], atol=1e-9)
    np.testing.assert_allclose(count, expected["proposals_per_video"], atol=1e-9)


def test_segment_map() -> None:
    case = read_json("anet_detection_eval.json")
    metric = SegmentMAP(case["classes"])
    fill(metric, case["result"]["results"], case["ground_truth"], case["classes"])
    np.testing.assert_allclose(metric.table(metric.records), case["ap"], atol=1e-9)
    numbers = metric.accumulate()
    assert numbers["segment_map@0.5:0.95"] == pytest.approx(case["average_mAP"], abs=1e-9)
    means = [numbers[f"segment_map@{threshold:g}"] for threshold in metric.iou_thresholds]
    np.testing.assert_allclose(means, case["mAP"], atol=1e-9)
