"""Video-mAP against public code: its tubes, its AP of every class and threshold.

The truths are real tubes of UCF101-24, the detections of 60 videos are made up. Boxes are whole quarters of a pixel.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from paddlevideo.metrics.protocols import protocol_metrics
from paddlevideo.metrics.tubes import link_tubes, suppress_tubes
from paddlevideo.registry import METRICS
from tests.conftest import golden_path
from tests.golden.samples import class_names, read_arrays, video_samples


def load(name):
    path = golden_path(f"metrics/{name}")
    return json.loads(path.read_text()) if path.suffix == ".json" else read_arrays(path)


@pytest.fixture(scope="module")
def found():
    return load("video_det.npz")


@pytest.fixture(scope="module")
def truth():
    return load("ucf24_split1_gt.npz")


def linked(found, truth):
    """Tubes by (video, class from 1)."""
    tubes = {}
    for video in found["video_index"].tolist():
        rows = found["det_video"] == video
        frame, label = (found[key][rows].astype(np.int64) for key in ("det_frame", "det_class"))
        boxes, scores = found["det_box_q4"][rows] / 4, found["det_score"][rows] / 65536
        of_video = link_tubes(frame, label, boxes, scores, int(truth["video_numf"][video]))
        tubes |= {(video, number): linked for number, linked in of_video.items()}
    return tubes


def test_tubes(found, truth):
    expected = load("video_tubes_expected.npz")
    tubes = linked(found, truth)
    keys = list(zip(expected["tube_video"].tolist(), expected["tube_class"].tolist(), strict=True))
    assert sum(map(len, tubes.values())) == len(keys)
    kept = {key: suppress_tubes(of_class, 0.3) for key, of_class in tubes.items()}
    for number, key in enumerate(keys):
        tube = tubes[key][expected["tube_raw_rank"][number]]
        rows = slice(*expected["tube_offset"][number : number + 2])
        np.testing.assert_array_equal(tube.boxes * 4, expected["tube_box_q4"][rows])
        np.testing.assert_array_equal(tube.scores * 65536, expected["tube_frame_score"][rows])
        assert tube.score == pytest.approx(expected["tube_score"][number], abs=1e-6)
        rank = next((rank for rank, other in enumerate(kept[key]) if other is tube), -1)
        assert rank == expected["tube_kept_rank"][number], key


@pytest.mark.parametrize(("protocol", "rounded"), [("yowo", False), ("yowo_plus", True)])
def test_average_precision_of_every_class(found, truth, protocol, rounded):
    """The reference lists are those of single classes, as they are before linking, so `own_class` takes them.

    How YOWO puts all boxes into all lists is tested with the metric itself.
    """
    expected = load("video_expected.json")
    node = next(node for node in protocol_metrics(protocol) if node["name"] == "VideoMAP")
    thresholds = [float(threshold) for threshold in expected["thresholds"]]
    node = {**node, "candidates": "own_class", "iou_thresholds": thresholds}
    metric = METRICS.build(node, classes=class_names(truth))
    samples = zip(*video_samples(found, truth), strict=True)
    table = metric.average_precisions({sample[2]["id"]: metric.record(*sample) for sample in samples})
    numbers = metric.numbers(table)
    for row, (threshold, wanted) in zip(table, expected["thresholds"].items(), strict=True):
        per_class = [wanted["per_class"][str(number)] for number in range(1, len(row) + 1)]
        np.testing.assert_allclose(row, per_class, atol=1e-4, rtol=0)
        assert numbers[f"video_map@{float(threshold):g}"] == pytest.approx(wanted["mAP"], abs=1e-4)
        if rounded:
            assert (row * 100).tolist() == pytest.approx(wanted["second_peer_percent_2dp"], abs=1e-9)
    assert numbers["video_map@0.5:0.95"] == pytest.approx(expected["mAP_0.5:0.95"], abs=1e-4)
