from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.modeling.postprocess.detection_nms import DetectionNMS, pairwise_iou, suppress
from paddlevideo.registry import POSTPROCESS


def greedy(boxes: np.ndarray, scores: np.ndarray, candidates: np.ndarray, threshold: float) -> np.ndarray:
    """The textbook loop, for one sample."""
    iou = pairwise_iou(boxes[None])[0]
    stays = np.zeros(len(boxes), bool)
    for i in np.argsort(-scores, kind="stable"):
        if candidates[i] and not (iou[i] > threshold)[stays].any():
            stays[i] = True
    return stays


@pytest.mark.parametrize("seed", range(20))
def test_suppression_equals_the_greedy_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.random((3, 60, 2)) * 0.5
    boxes = np.concatenate([low, low + 0.1 + 0.4 * rng.random((3, 60, 2))], -1).astype(np.float32)
    scores = rng.integers(0, 20, (3, 60)) / 20  # with ties
    candidates = rng.random((3, 60)) < 0.8
    ours = suppress(boxes, scores, candidates, 0.4)
    for sample in range(3):
        expected = greedy(boxes[sample], scores[sample], candidates[sample], 0.4)
        np.testing.assert_array_equal(ours[sample], expected)


def test_a_chain_where_the_suppressed_do_not_suppress() -> None:
    boxes = np.array([[[0, 0, 1, 1], [0.4, 0, 1.4, 1], [0.8, 0, 1.8, 1], [1.2, 0, 2.2, 1]]], np.float32)
    kept = suppress(boxes, np.array([[0.9, 0.8, 0.7, 0.6]]), np.ones((1, 4), bool), 0.4)
    assert kept.tolist() == [[True, False, True, False]]


def decoded() -> dict[str, np.ndarray]:
    return {
        "boxes": np.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0.5, 0.45]]], np.float32),
        "objectness": np.array([[0.5, 0.9, 0.8]], np.float32),
        "probabilities": np.array([[[0.1, 0.9], [0.996, 0.004], [0.6, 0.4]]], np.float32),
    }


def test_detections_by_hand() -> None:
    (answer,) = DetectionNMS(score_threshold=0.005, iou_threshold=0.4)(decoded(), [{}])
    # box 2 is surer than box 0, whatever the classes, and overlaps it by 0.9
    np.testing.assert_allclose(answer["scores"], [0.9 * 0.996, 0.8 * 0.6], rtol=1e-6)
    assert answer["labels"].tolist() == [0, 0]
    np.testing.assert_allclose(answer["boxes"][1], [0, 0, 0.5, 0.45])


def test_official_rows_repeat_the_box_and_class_with_other_scores() -> None:
    (answer,) = DetectionNMS(rows="official")(decoded(), [{}])
    np.testing.assert_allclose(answer["scores"], [0.9 * 0.996, 0.8 * 0.6, 0.8 * 0.4], rtol=1e-6)
    assert answer["labels"].tolist() == [0, 0, 0]


def test_what_the_threshold_looks_at() -> None:
    low = decoded()
    low["objectness"][:] = 0.006
    assert len(DetectionNMS(score="paddlevideo")(low, [{}])[0]["labels"]) == 2
    assert len(DetectionNMS(score="official")(low, [{}])[0]["labels"]) == 2
    low["probabilities"][:] = 0.5
    assert len(DetectionNMS(score="official")(low, [{}])[0]["labels"]) == 0


def test_nothing_above_the_threshold_gives_empty_arrays() -> None:
    (answer,) = DetectionNMS(score_threshold=0.99)(decoded(), [{}])
    assert answer["boxes"].shape == (0, 4)
    assert len(answer["labels"]) == len(answer["scores"]) == 0


def test_an_answer_that_is_not_finite_is_named() -> None:
    decoded = {
        "boxes": np.zeros((1, 2, 4), np.float32),
        "objectness": np.array([[0.5, np.nan]], np.float32),
        "probabilities": np.ones((1, 2, 3), np.float32),
    }
    with pytest.raises(ValueError, match="v/00007: the network's answer is nan or inf"):
        DetectionNMS()(decoded, [{"id": "v/00007"}])


@pytest.mark.parametrize("name", ["DetectionNMS", "TopKNMS"])
@pytest.mark.parametrize("key", ["score_threshold", "iou_threshold"])
@pytest.mark.parametrize("value", [-1.0, 1.5, float("nan")])
def test_thresholds_that_nothing_or_everything_exceeds(name: str, key: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name}: {key} should be in 0\.\.1, got {value}"):
        POSTPROCESS.build({"name": name, key: value})
