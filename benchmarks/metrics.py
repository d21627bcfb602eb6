"""Seconds that the metrics take on the reference detections, beside those published for other evaluators.

Then how the time of frame-mAP grows with the number of detections, from ten thousand to ten million. The published
seconds are of another machine and include the reading of one text file a frame. Processor seconds tell more where other
jobs share the machine.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from paddlevideo.metrics import AVAMAP, FrameMAP, VideoMAP
from paddlevideo.metrics.base import STRICT, Metric
from paddlevideo.metrics.frame_map import BoxTable, DetectionTable, evaluate
from paddlevideo.tasks.detection_file import detection_writer, read_detections
from paddlevideo.tasks.rescoring import measure
from paddlevideo.types import IntArray
from paddlevideo.utils.collector import collector_paused
from paddlevideo.utils.command import run_command
from tests.golden.samples import (
    Samples,
    ava_samples,
    class_names,
    frame_samples,
    frame_tables,
    read_arrays,
    video_samples,
)

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, *STRICT)
CLASSES, BOXES_A_FRAME = 24, 8


def seconds(job: Callable[..., object], *arguments: object) -> tuple[float, float]:
    """How long a job takes, by the clock and on the processor."""
    start, busy = time.perf_counter(), time.process_time()
    job(*arguments)
    return time.perf_counter() - start, time.process_time() - busy


def from_file(path: Path, classes: Sequence[str], samples: Samples) -> dict[str, float]:
    """Frame-mAP of a file of detections; the truths are in memory."""
    with collector_paused():
        return measure([FrameMAP(classes)], read_detections(path).samples, samples[1])


def reference_times(folder: Path) -> None:
    """Print what the reference detections take."""
    found, truth = read_arrays(folder / "frame_det_full.npz"), read_arrays(folder / "ucf24_split1_gt.npz")
    classes, tables, samples = class_names(truth), frame_tables(found, truth), frame_samples(found, truth)
    videos = video_samples(read_arrays(folder / "video_det.npz"), truth)
    video_map = VideoMAP(classes, THRESHOLDS, candidates="own_class")
    names = [str(number) for number in range(80)]
    key_frames = ava_samples(folder, len(names))
    print(
        f"frame-mAP: {len(tables[0].image)} detections on {len(samples[0])} frames; video-mAP: {len(videos[0])} frames"
    )
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "detections.jsonl"
        with detection_writer(path, classes) as write:
            for prediction, _, meta in zip(*samples, strict=True):
                write(meta, prediction)
        rows = [
            ("frame-mAP, arrays in memory", seconds(evaluate, *tables, [0.5]), ""),
            ("same, ten thresholds", seconds(evaluate, *tables, STRICT), ""),
            ("frame-mAP, file of detections", seconds(from_file, path, classes, samples), "76.6, 83.9, 77.5"),
            ("video-mAP, 14 thresholds", seconds(whole, video_map, videos), "about 70, about 68, none"),
            ("AVA's mAP", seconds(whole, AVAMAP(names), key_frames), "0.33 to 0.43 (the first two)"),
        ]
    print(f"{'seconds':<32}{'clock':>8}{'processor':>11}  published elsewhere: official YOWO, YOWO-Plus, PaddleVideo")
    for title, (clock, processor), published in rows:
        print(f"{title:<32}{clock:>8.2f}{processor:>11.2f}  {published}")


def whole(metric: Metric, samples: Samples) -> dict[str, float]:
    """A metric from the samples to its numbers."""
    metric.update(*samples)
    return metric.accumulate()


def synthetic_tables(count: int) -> tuple[DetectionTable, BoxTable]:
    """So many detections, eight a frame, and a truth near each of half of them."""
    rng = np.random.default_rng(count)
    image: IntArray = np.arange(count) // BOXES_A_FRAME
    corner = rng.uniform(0, 200, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 100, (count, 2))], axis=1)
    label, real = rng.integers(0, CLASSES, count), rng.random(count) < 0.5
    truths = BoxTable(image[real], label[real], boxes[real] + rng.uniform(-5, 5, (int(real.sum()), 4)))
    return DetectionTable(image, label, boxes, rng.random(count)), truths


def growth(largest: int) -> None:
    """Print the time of frame-mAP for growing numbers of detections."""
    print(f"\n{'detections':>10}{'processor seconds':>19}{'ns / (n log2 n)':>17}{'peak memory, GB':>17}")
    for count in (10**power for power in range(4, largest + 1)):
        tables = synthetic_tables(count)
        taken = min(seconds(evaluate, *tables, [0.5])[1] for _ in range(3))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{count:>10}{taken:>19.3f}{taken / (count * np.log2(count)) * 1e9:>17.2f}{memory:>17.2f}")


def run(arguments: Sequence[str] | None) -> None:
    """Measure the reference detections, then the growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--golden", type=Path, default=Path("../shared/golden"), help="folder of the reference arrays")
    parser.add_argument("--largest", type=int, default=7, help="power of ten of the most detections (default: 7)")
    args = parser.parse_args(arguments)
    reference_times(args.golden / "metrics")
    growth(args.largest)


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
