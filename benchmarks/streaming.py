"""What a frame of a video costs from file to files, beside what the network alone takes for it.

Both take turns in rounds in one process, so that whatever else the machine does meets both of them. Without `-m` the
network of `-c` is exported with weights of chance: they take as long as others.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from paddlevideo.config import load_config
from paddlevideo.loader.media.live import StoredStream, TimedFrame
from paddlevideo.tasks.exporter import export
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.files import output_folder

WARM_UP = 3  # runs of the network before anything is measured


class Beginning(StoredStream):
    """The first frames of a video.

    Args:
        path: of the video.
        count: of the frames.
    """

    def __init__(self, path: Path, count: int) -> None:
        super().__init__(path)
        self.count = count

    def __iter__(self) -> Iterator[TimedFrame]:
        return islice(super().__iter__(), self.count)


def measure(predictor: Predictor, video: Path, frames: int, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds a frame in each round: of the network alone, and from file to files."""
    clips = [sample["inputs"] for sample in predictor.open(Beginning(video, frames))]
    alone, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            alone.append(1000 * network_time(predictor, clips) / frames)
            answers = output_folder(Path(folder) / str(number))
            start = time.perf_counter()
            predict_streams(
                predictor, [Beginning(video, frames)], answers, StreamOptions(table=True), threading.Event()
            )
            whole.append(1000 * (time.perf_counter() - start) / frames)
            print(f"round {number + 1}: network {alone[-1]:.1f}, end to end {whole[-1]:.1f} ms a frame", flush=True)
    return alone, whole


def network_time(predictor: Predictor, clips: Sequence[dict[str, np.ndarray]]) -> float:
    """Seconds that the network alone takes for these packed clips, one after another."""
    seconds = 0.0
    for clip in clips:
        inputs = predictor.input.unpack([clip])
        start = time.perf_counter()
        predictor.network(inputs)
        seconds += time.perf_counter() - start
    return seconds


def run(arguments: Sequence[str] | None) -> None:
    """Measure and print a line for each round and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-i", "--input", type=Path, required=True, help="a video")
    parser.add_argument("-m", "--model", type=Path, help="export folder")
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo.yaml"))
    parser.add_argument("--frames", type=int, default=40, help="of the video (default: 40)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--threads", type=int, help="of the network")
    args = parser.parse_args(arguments)
    use_device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(args.config)
        model = args.model or export(build_model(config), config, folder)
        predictor = Predictor.from_export(model, threads=args.threads)
        warm_up = [sample["inputs"] for sample in predictor.open(Beginning(args.input, WARM_UP))]
        network_time(predictor, warm_up)
        alone, whole = measure(predictor, args.input, args.frames, args.rounds)
    ratio = float(np.median(np.array(whole) / np.array(alone)))
    print(f"median: network {np.median(alone):.1f}, end to end {np.median(whole):.1f} ms a frame, ratio {ratio:.3f}")


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
