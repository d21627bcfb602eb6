"""Video-mAP against public code: its tubes, its AP of every class and threshold.

The truths are real tubes of UCF101-24, the detections of 60 videos are made up. Boxes are whole quarters of a pixel.
"""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from paddlevideo.metrics import VideoMAP
from paddlevideo.metrics.tubes import link_tubes, suppress_tubes
from tests.conftest import golden_path

HEIGHT, WIDTH = 240, 320
SCALE = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
NUM_CLASSES = 24


def load(name):
    path = golden_path(f"metrics/{name}")
    return json.loads(path.read_text()) if path.suffix == ".json" else dict(np.load(path))


@pytest.fixture(scope="module")
def found():
    return load("video_det.npz")


@pytest.fixture(scope="module")
def truth():
    """Real tubes, with the tube number of every box."""
    arrays = load("ucf24_split1_gt.npz")
    arrays["box_tube"] = np.repeat(np.arange(len(arrays["tube_video"])), np.diff(arrays["tube_offset"].astype(int)))
    return arrays


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


def records(metric, found, truth):
    """What the metric keeps of every frame of the 60 videos."""
    records = {}
    for video in found["video_index"].tolist():
        seen, of_video = found["det_video"] == video, truth["tube_video"][truth["box_tube"]] == video
        label, count = int(truth["video_label"][video]), int(truth["video_numf"][video])
        for frame in range(1, count + 1):
            rows = np.flatnonzero(seen)[found["det_frame"][seen] == frame]
            real = np.flatnonzero(of_video)[truth["box_frame"][of_video] == frame]
            prediction = {
                "boxes": (found["det_box_q4"][rows] / 4 / SCALE).astype(np.float32),
                "labels": found["det_class"][rows].astype(np.int64) - 1,
                "scores": (found["det_score"][rows] / 65536).astype(np.float32),
            }
            target = {
                "boxes": (truth["box_xyxy"][real] / SCALE).astype(np.float32),
                "labels": np.full(len(real), label),
                "actors": truth["box_tube"][real],
            }
            meta = {"id": f"{truth['video_name'][video]}/{frame:05d}", "size": [HEIGHT, WIDTH], "num_frames": count}
            records[meta["id"]] = metric.record(prediction, target, meta)
    return records


def test_average_precision_of_every_class(found, truth):
    expected = load("video_expected.json")
    thresholds = [float(threshold) for threshold in expected["thresholds"]]
    metric = VideoMAP([f"class {number}" for number in range(1, NUM_CLASSES + 1)], thresholds)
    frames = records(metric, found, truth)
    start = time.process_time()
    table = metric.average_precisions(frames)
    seconds = time.process_time() - start
    for row, wanted in zip(table, expected["thresholds"].values(), strict=True):
        per_class = [wanted["per_class"][str(number)] for number in range(1, NUM_CLASSES + 1)]
        np.testing.assert_allclose(row, per_class, atol=1e-4, rtol=0)
        assert row.mean() == pytest.approx(wanted["mAP"], abs=1e-4)
    strict = table[np.array(thresholds) >= 0.5]
    assert len(strict) == 10
    assert strict.mean() == pytest.approx(expected["mAP_0.5:0.95"], abs=1e-4)
    assert seconds < 5  # 0.4 on one core of a server
