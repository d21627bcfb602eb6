"""What each choice between protocols does to the numbers of the reference detections, all others left as they are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.metrics.base import STRICT
from paddlevideo.registry import METRICS
from paddlevideo.utils.command import run_command
from tests.golden.samples import Samples, ava_samples, class_names, frame_samples, label_map, read_arrays, video_samples

SHOWN = ("0.2", "0.3", "0.5", "0.75", "0.5:0.95")
Choices: TypeAlias = dict[str, dict[str, Any]]  # arguments of a metric by what they are called in the table

FRAME: Choices = {
    "as published (YOWO, YOWO-Plus)": {},
    "round_boxes: false": {"round_boxes": False},
    "background: false": {"background": False},
}
VIDEO: Choices = {
    "as published (YOWO), own_class": {},
    "decimals: 2": {"decimals": 2},
    "border: false": {"border": False},
    "shift: 1": {"shift": 1.0},
    "strict: true": {"strict": True},
    "trim: true": {"trim": True},
    "all of the last four": {"border": False, "shift": 1.0, "strict": True, "trim": True},
}
AVA: Choices = {"order: score": {"order": "score"}, "order: file": {"order": "file"}}


def compare(base: dict[str, Any], variants: Choices, classes: Sequence[str], samples: Samples) -> None:
    """Print a line of means in percent for each variant of a metric."""
    titles: list[str] = []
    for name, choices in variants.items():
        metric = METRICS.build({**base, **choices}, classes=classes)
        metric.update(*samples)
        numbers = metric.accumulate()
        if not titles:
            titles = [title for title in numbers if title.partition("@")[2] in SHOWN]
            print(f"\n{'percent':<34}" + "".join(f"{title:>20}" for title in titles))
        print(f"{name:<34}" + "".join(f"{100 * numbers[title]:>20.2f}" for title in titles))


def run(arguments: Sequence[str] | None) -> None:
    """Measure every variant of every metric."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--golden", type=Path, default=Path("../shared/golden"), help="folder of the reference arrays")
    folder = parser.parse_args(arguments).golden / "metrics"
    truth = read_arrays(folder / "ucf24_split1_gt.npz")
    classes = class_names(truth)
    for size in ("fast", "full"):
        frames = frame_samples(read_arrays(folder / f"frame_det_{size}.npz"), truth)
        compare({"name": "FrameMAP", "iou_thresholds": STRICT}, FRAME, classes, frames)
    videos = video_samples(read_arrays(folder / "video_det.npz"), truth)
    thresholds = (0.2, *STRICT)
    compare({"name": "VideoMAP", "candidates": "own_class", "iou_thresholds": thresholds}, VIDEO, classes, videos)
    numbers, names = label_map(folder / "ava_labelmap_60.pbtxt")
    known = dict(zip(numbers, names, strict=True))
    all_names = [known.get(number, f"class {number}") for number in range(1, 81)]
    compare({"name": "AVAMAP", "evaluated": names}, AVA, all_names, ava_samples(folder, len(all_names)))


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
