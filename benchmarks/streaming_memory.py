"""Peak memory of predicting a short and a long video, each in a process of its own.

The long video is the short one over and over, the network an exported tiny one without training. Everything else is
what `tools/predict.py` does: decoding, clips, network, tracks, drawing, and all files.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from paddlevideo.config import load_config
from paddlevideo.loader.media.live import StoredStream
from paddlevideo.tasks.exporter import export
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import seed_everything, use_device
from paddlevideo.utils.files import output_folder
from tests.conftest import TINY

CLASSES = "classes=[Hop, Pulse, Spin, Sway]"
SIZE = (120, 160)  # height and width of a frame
LOOP = 100  # frames after which the video begins anew


def write_video(path: Path, frames: int) -> None:
    """A bright square that goes its rounds."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, SIZE[::-1])
    for number in range(frames):
        picture = np.full((*SIZE, 3), 60, np.uint8)
        left = abs(number % LOOP - LOOP // 2) * 2
        picture[40:80, left : left + 40] = 230
        writer.write(picture)
    writer.release()


def predict(model: Path, frames: int, threshold: float) -> None:
    """Predict a video of so many frames; prints the peak memory of this process in MB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder / "video.mp4", frames)
        options = StreamOptions(threshold=threshold, table=True)
        streams = [StoredStream(folder / "video.mp4")]
        answers = output_folder(folder / "out")
        predict_streams(Predictor.from_export(model, threads=1), streams, answers, options, threading.Event())
        lines = (answers / "video.jsonl").read_bytes()
    if lines.count(b"\n") != frames or b'"track"' not in lines:
        raise RuntimeError(f"expected {frames} lines with detections; choose a lower --threshold")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run(arguments: Sequence[str] | None) -> None:
    """Measure both, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo_sample.yaml"))
    parser.add_argument("--short", type=int, default=500, help="frames (default: 500)")
    parser.add_argument("--long", type=int, default=20_000, help="frames (default: 20000)")
    parser.add_argument("--threshold", type=float, default=0.05, help="low enough for detections of chance")
    parser.add_argument("--frames", type=int, help=argparse.SUPPRESS)  # the work of one process, with the export below
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.frames is not None:
        predict(args.model, args.frames, args.threshold)
        return
    use_device("cpu")
    seed_everything(0)
    config = load_config(args.config, [*TINY, CLASSES])
    with tempfile.TemporaryDirectory() as folder:
        export(build_model(config), config, folder)
        peaks = [peak_memory(folder, frames, args.threshold) for frames in (args.short, args.long)]
    print(f"ratio: {peaks[1] / peaks[0]:.3f}")


def peak_memory(model: str, frames: int, threshold: float) -> float:
    """Most memory of a process that predicts so many frames, in MB."""
    options = ["--model", model, "--frames", str(frames), "--threshold", str(threshold)]
    result = subprocess.run([sys.executable, __file__, *options], stdout=subprocess.PIPE, text=True, check=True)
    peak = float(result.stdout.splitlines()[-1])
    print(f"{frames:>7} frames: {peak:8.1f} MB at most", flush=True)
    return peak


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
