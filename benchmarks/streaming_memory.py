"""Peak memory of predicting a short and a long video, each in a process of its own.

The long video is the short one over and over, the network a tiny one without training. Everything else is what
`tools/predict.py` does: decoding, clips, network, tracks, drawing, and all files.
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
from paddlevideo.loader.live import StoredStream
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Predictor, eager_network
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import seed_everything, use_device

TINY = [
    "MODEL.backbone_2d.width=0.125",
    "MODEL.backbone_2d.out_channels=8",
    "MODEL.backbone_3d.width=0.0625",
    "MODEL.backbone_3d.cardinality=2",
    "MODEL.neck.channels=16",
    "MODEL.neck.out_channels=16",
    "MODEL.input.num_frames=4",
    "MODEL.input.size=64",
    "classes=[Hop, Pulse, Spin, Sway]",
]
SIZE = (120, 160)  # height and width of a frame
LOOP = 100  # frames after which the video begins anew


def tiny_predictor(config: Path) -> Predictor:
    """A network of a few thousand weights that have not been trained."""
    settings = load_config(config, TINY)
    model = build_model(settings)
    return Predictor(
        *(eager_network(model), model.input, model.postprocess),
        *(settings.PIPELINE["test"], settings.INFERENCE, list(settings.classes)),
    )


def write_video(path: Path, frames: int) -> None:
    """A bright square that goes its rounds."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, SIZE[::-1])
    for number in range(frames):
        picture = np.full((*SIZE, 3), 60, np.uint8)
        left = abs(number % LOOP - LOOP // 2) * 2
        picture[40:80, left : left + 40] = 230
        writer.write(picture)
    writer.release()


def predict(args: argparse.Namespace) -> None:
    """Predict a video of so many frames; prints the peak memory of this process in MB."""
    use_device("cpu")
    seed_everything(0)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "video.mp4"
        write_video(video, args.frames)
        (Path(folder) / "out").mkdir()
        options = StreamOptions(threshold=args.threshold, table=True)
        predictor = tiny_predictor(args.config)
        predict_streams(predictor, [StoredStream(video)], Path(folder) / "out", options, threading.Event())
        lines = (Path(folder) / "out" / "video.jsonl").read_bytes()
    if lines.count(b"\n") != args.frames or b'"track"' not in lines:
        raise RuntimeError(f"expected {args.frames} lines with detections; choose a lower --threshold")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run(arguments: Sequence[str] | None) -> None:
    """Measure both, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo_sample.yaml"))
    parser.add_argument("--short", type=int, default=500, help="frames (default: 500)")
    parser.add_argument("--long", type=int, default=20_000, help="frames (default: 20000)")
    parser.add_argument("--threshold", type=float, default=0.05, help="low enough for detections of chance")
    parser.add_argument("--frames", type=int, help=argparse.SUPPRESS)  # the work of one process
    args = parser.parse_args(arguments)
    if args.frames is not None:
        predict(args)
        return
    peaks = []
    for frames in (args.short, args.long):
        rest = ["-c", str(args.config), "--threshold", str(args.threshold), "--frames", str(frames)]
        result = subprocess.run([sys.executable, __file__, *rest], stdout=subprocess.PIPE, text=True, check=True)
        peaks.append(float(result.stdout.splitlines()[-1]))
        print(f"{frames:>7} frames: {peaks[-1]:8.1f} MB at most", flush=True)
    print(f"ratio: {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
