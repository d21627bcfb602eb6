"""Matching, loss and gradient of YOWO-Plus and YOWO-Nano against the published implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
import pytest

from paddlevideo.config import load_config
from paddlevideo.modeling.heads.yowo_head import ClassProbabilities
from paddlevideo.modeling.heads.yowo_plus_head import decode_boxes, split
from paddlevideo.modeling.losses import YOWOPlusLoss
from paddlevideo.types import Tensors
from tests.conftest import REPOSITORY, golden_arrays, golden_names
from tests.golden import plus_weights

INDEX = "yowo_plus/index.json"
JHMDB_ANCHORS = ((30, 99), (53, 128), (56, 180), (98, 185), (157, 200))
CLAMPED = "a4_extreme"  # its clamps cost float32 precision


def anchors_of(dataset: str) -> Any:
    if dataset.startswith("jhmdb"):
        return JHMDB_ANCHORS
    name = {"ucf24": "yowo_plus", "ava_v2.2": "yowo_plus_ava"}[dataset]
    return load_config(REPOSITORY / "configs" / "localization" / f"{name}.yaml").MODEL["head"]["anchors"]


def loss_cases(index: Path) -> list[str]:
    return list(json.loads(index.read_text())["cases"]["loss_cases.npz"]["cases"])


@pytest.fixture(params=golden_names(INDEX, loss_cases))
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    golden = golden_arrays("yowo_plus/loss_cases.npz")
    about = plus_weights.index()["cases"]["loss_cases.npz"]["cases"][request.param]
    arrays = {key.partition("/")[2]: golden[key] for key in golden if key.startswith(f"{request.param}/")}
    return {"name": request.param, "anchors": anchors_of(about["dataset"]), **arrays}


def padded(case: dict[str, Any]) -> Tensors:
    """Boxes and labels of all images, one below the other, as a batch."""
    counts, labels = case["counts"], case["labels"]
    rows = max(1, counts.max())
    boxes = np.zeros((len(counts), rows, 4), np.float32)
    padding = np.full((len(counts), rows, *labels.shape[1:]), -1, np.int64)
    starts = np.concatenate([[0], counts.cumsum()])
    for number, count in enumerate(counts):
        boxes[number, :count] = case["boxes"][starts[number] : starts[number + 1]]
        padding[number, :count] = labels[starts[number] : starts[number + 1]]
    return {"boxes": paddle.to_tensor(boxes), "labels": paddle.to_tensor(padding)}


def loss_of(case: dict[str, Any]) -> YOWOPlusLoss:
    if case["labels"].ndim == 1:
        return YOWOPlusLoss(case["anchors"])
    classes = case["labels"].shape[1]
    ratio = str(REPOSITORY / "data" / "ava" / "class_ratio.txt")
    return YOWOPlusLoss(case["anchors"], ClassProbabilities(classes, 14), ratio, focal_gamma=0.5)


def test_parts_total_and_gradient(case: dict[str, Any]) -> None:
    raw = paddle.to_tensor(case["pred"], stop_gradient=False)
    losses = loss_of(case)(raw, padded(case))
    losses["loss"].backward()
    tolerance = 2e-5 if case["name"] == CLAMPED else 1e-5
    ours = [losses[name].item() for name in ("confidence", "class", "box", "loss")]
    np.testing.assert_allclose(ours, case["losses"], rtol=tolerance)
    atol = 1e-4 if case["name"] == CLAMPED else 1e-5
    np.testing.assert_allclose(raw.grad.numpy(), case["grad"], atol=atol, rtol=0)


def test_matching(case: dict[str, Any]) -> None:
    batch, _, height, width = case["pred"].shape
    targets = padded(case)
    frame = 32.0 * np.array([width, height, width, height])
    boxes = targets["boxes"].astype("float64") * paddle.to_tensor(frame)
    real = targets["labels"].numpy().reshape(batch, boxes.shape[1], -1)[..., 0] >= 0
    match = loss_of(case).match(boxes, paddle.to_tensor(real), height, width)
    owns, count = match.owns.numpy(), len(case["anchors"])
    index, rows = match.index.numpy()[owns], np.arange(len(owns))[owns] // count
    confidence = np.zeros(batch * height * width * count)
    confidence[index] = 1
    np.testing.assert_array_equal(confidence, case["gt_conf"].ravel())
    assert len(np.unique(index)) == len(index)
    np.testing.assert_allclose(boxes.numpy().reshape(-1, 4)[rows], case["gt_bboxes"].reshape(-1, 4)[index], atol=1e-4)
    labels = targets["labels"].numpy().reshape(batch * boxes.shape[1], -1)
    np.testing.assert_array_equal(labels[rows], case["gt_cls"].reshape(confidence.size, -1)[index])


def test_decoded_boxes(case: dict[str, npt.NDArray[np.float32]]) -> None:
    said = split(paddle.to_tensor(case["pred"]), len(case["anchors"]))
    boxes = decode_boxes(said["boxes"], case["anchors"], case["pred"].shape[3]).numpy()
    np.testing.assert_allclose(boxes, case["box_pred"], rtol=1e-5, atol=1e-3)
