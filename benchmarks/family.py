"""YOWO, YOWO-Plus and YOWO-Nano of sample size side by side: trained on the same number of samples, then measured.

Frame-mAP comes from the annotated frames of the test videos, video-mAP from all of their frames. The time of a frame is
that of the exported network with a batch of one, from its input to the detections; the networks take turns, so that
whatever else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from paddlevideo.config import Config, load_config
from paddlevideo.tasks.evaluation import test
from paddlevideo.tasks.exporter import export_weights, probe
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.logging import start_logging
from paddlevideo.utils.summary import count_parameters

WIDER = ["MODEL.backbone_3d.width=0.5", "MODEL.backbone_3d.cardinality=8"]  # or the 2-D branch would take most time
CONFIGS = {"yowo_sample": WIDER, "yowo_plus_sample": WIDER, "yowo_nano_sample": []}
EVERY_FRAME = ["DATASET.test.every_frame=true", "METRIC=[{name: VideoMAP, candidates: own_class}]"]
ROUNDS, WARM_UP, FRAMES = 10, 20, 20


def frame_times(folders: Sequence[Path], configs: Sequence[Config]) -> list[float]:
    """Median milliseconds a frame of each exported network, over rounds in which all take a turn."""
    predictors = [Predictor.from_export(folder) for folder in folders]
    inputs = [probe(build_model(config)) for config in configs]
    for predictor, arrays in zip(predictors, inputs, strict=True):
        for _ in range(WARM_UP):
            predictor.batch(arrays, [{}])
    seconds: list[list[float]] = [[] for _ in predictors]
    for _ in range(ROUNDS):
        for taken, predictor, arrays in zip(seconds, predictors, inputs, strict=True):
            start = time.perf_counter()
            for _ in range(FRAMES):
                predictor.batch(arrays, [{}])
            taken.append((time.perf_counter() - start) / FRAMES)
    return [1000 * float(np.median(taken)) for taken in seconds]


def run(arguments: Sequence[str] | None) -> None:
    """Train, export and measure all of them, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--output", type=Path, default=Path("demo/family"), help="folder for weights and logs")
    parser.add_argument("--trained", action="store_true", help="measure the weights of an earlier run again")
    args = parser.parse_args(arguments)
    start_logging()
    use_device("cpu")
    rows, folders, configs = [], [], []
    for name, changes in CONFIGS.items():
        path, folder = Path("configs/localization") / f"{name}.yaml", args.output / name
        overrides = [*changes, *args.override]
        config = dataclasses.replace(load_config(path, overrides), output_dir=str(folder))
        if not args.trained:
            Trainer(config).fit()
        weights = folder / "best.pdparams"
        of_frames = test(config, weights)
        all_frames = load_config(path, [*overrides, *EVERY_FRAME])
        of_videos = test(dataclasses.replace(all_frames, output_dir=str(folder / "video")), weights)
        folders.append(export_weights(config, weights, folder / "inference"))
        configs.append(config)
        numbers = (of_frames["frame_map@0.5"], of_videos["video_map@0.2"], of_videos["video_map@0.5"])
        rows.append((name, *numbers, count_parameters(build_model(config))))
    print(f"{'config':<18}{'frame-mAP@0.5':>15}{'video-mAP@0.2':>15}{'@0.5':>8}{'parameters':>12}{'ms a frame':>12}")
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # the threads of training would disturb the measurement
        times = fresh.submit(frame_times, folders, configs).result()
    for (name, frame, loose, strict, parameters), ms in zip(rows, times, strict=True):
        print(f"{name:<18}{frame:>15.4f}{loose:>15.4f}{strict:>8.4f}{parameters:>12,}{ms:>12.2f}")


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
