from __future__ import annotations

import numpy as np

from paddlevideo.modeling.postprocess import DetectionNMS, TopKNMS
from paddlevideo.types import Arrays

NEAR = [[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.52], [0.6, 0.6, 0.9, 0.9]]


def decoded(objectness: list[float], probabilities: list[list[float]]) -> Arrays:
    return {
        "boxes": np.array([NEAR], np.float32),
        "objectness": np.array([objectness], np.float32),
        "probabilities": np.array([probabilities], np.float32),
    }


def test_boxes_suppress_those_of_their_own_class_only() -> None:
    found = TopKNMS(0.01, 0.5, 40)(decoded([0.9, 0.8, 0.1], [[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]]), [{}])[0]
    assert found["labels"].tolist() == [0, 1]  # of the second box the pair with class 0 is gone
    np.testing.assert_allclose(found["scores"], [0.9, 0.4], atol=1e-6)
    np.testing.assert_allclose(found["boxes"], [NEAR[0], NEAR[1]], atol=1e-6)
    np.testing.assert_allclose(found["objectness"], [0.9, 0.8], atol=1e-6)


def test_only_the_best_pairs_are_looked_at_and_at_most_one_a_box_on_average() -> None:
    arrays = decoded([0.9, 0.8, 0.7], [[0.6, 0.4], [0.6, 0.4], [0.6, 0.4]])
    assert len(TopKNMS(0.0, 1.0, 2)(arrays, [{}])[0]["scores"]) == 2
    assert len(TopKNMS(0.0, 1.0, 99)(arrays, [{}])[0]["scores"]) == 3  # as many as boxes, of six pairs


def test_a_score_at_the_threshold_is_dropped() -> None:
    arrays = decoded([0.5, 0.0, 0.0], [[1.0, 0.0]] * 3)
    assert len(TopKNMS(0.5)(arrays, [{}])[0]["scores"]) == 0
    assert len(TopKNMS(0.49)(arrays, [{}])[0]["scores"]) == 1


def test_every_class_of_a_kept_box_is_a_row_of_its_own() -> None:
    nms = DetectionNMS(0.3, 0.5, score="paddlevideo", rows="every_class")
    found = nms(decoded([0.8, 0.9, 0.2], [[0.1, 0.6], [0.7, 0.2], [0.9, 0.9]]), [{}])[0]
    assert found["labels"].tolist() == [0, 1]
    np.testing.assert_allclose(found["scores"], [0.63, 0.18], atol=1e-6)
    np.testing.assert_allclose(found["boxes"], [NEAR[1]] * 2, atol=1e-6)
