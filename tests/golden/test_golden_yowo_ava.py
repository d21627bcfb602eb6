"""YOWO with several labels a box against the official implementation: loss, gradient, decoding, suppression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from paddlevideo.modeling.heads import YOWOHead
from paddlevideo.modeling.heads.yowo_head import ClassProbabilities
from paddlevideo.modeling.losses import MultiLabelRegionLoss
from paddlevideo.modeling.postprocess import DetectionNMS
from tests.conftest import golden_arrays, golden_roots
from tests.golden.test_golden_yowo_loss import PARTS, pairs, raw_of
from tests.golden.weights import assert_same_rows

POSES = 14


def loss_names() -> list[str]:
    """Names of the loss cases in the first folder that has any."""
    found = [sorted(path.stem for path in root.glob("yowo/loss_ava_*.npz")) for root in golden_roots()]
    return next(filter(None, found), ["loss_ava_missing"])


@pytest.mark.parametrize("name", loss_names())
def test_loss_parts_total_and_gradient(name: str) -> None:
    case = golden_arrays(f"yowo/{name}.npz")
    anchors = pairs(case["anchors"])
    exists = np.cumprod(case["target_boxes"][..., 2] != 0, axis=1).astype(bool)
    labels = np.where(exists[..., None], case["target_cls"], -1).astype(np.int64)
    raw = raw_of(case["pred"], len(anchors))
    raw.stop_gradient = False
    probabilities = ClassProbabilities(labels.shape[-1], POSES)
    loss = MultiLabelRegionLoss(anchors, probabilities, case["class_ratio"].tolist())
    losses = loss.from_centres(raw, case["target_boxes"], labels)
    losses["loss"].backward()
    for theirs, ours in PARTS.items():
        assert losses[ours].item() == pytest.approx(float(case[f"loss_{theirs}"]), rel=1e-4, abs=1e-6), theirs
    assert losses["loss"].item() == pytest.approx(float(case["loss_total"]), rel=1e-4)
    np.testing.assert_allclose(raw.grad.numpy().reshape(case["pred"].shape), case["grad_pred"], atol=1e-4, rtol=0)
    assert losses["recall"].item() == pytest.approx(int(case["nCorrect"]) / max(int(case["nGT"]), 1))


@pytest.fixture(scope="module")
def golden() -> dict[str, npt.NDArray[np.float32]]:
    arrays = golden_arrays("yowo/decode_nms.npz")
    return {key.removeprefix("ava_b1/"): arrays[key] for key in arrays if key.startswith("ava_b1/")}


def test_decode(golden: dict[str, npt.NDArray[np.float32]]) -> None:
    anchors = pairs(golden["anchors"])
    head = YOWOHead(8, int(golden["num_classes"]), anchors, POSES)
    decoded = {key: value.numpy() for key, value in head.decode(raw_of(golden["pred"], len(anchors))).items()}
    every = golden["all"]
    np.testing.assert_allclose(decoded["objectness"][0], every[:, 5], atol=1e-5)
    np.testing.assert_allclose(decoded["probabilities"][0], every[:, 6:], atol=1e-5)
    nms = DetectionNMS(0.005, float(golden["nms_thresh"]), score="paddlevideo", rows="every_class")
    answer = nms(decoded, [{}])[0]
    expected = golden["result_rows"]  # sample, box, a score for each class
    scores = np.zeros_like(expected[:, 5:])
    number = np.arange(len(answer["labels"])) // scores.shape[1]
    scores[number, answer["labels"]] = answer["scores"]
    ours = np.concatenate([answer["boxes"][:: scores.shape[1]], scores], 1)
    assert_same_rows(ours, expected[:, 1:], 1e-5)
