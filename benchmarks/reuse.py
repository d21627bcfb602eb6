"""Milliseconds a frame of a network that keeps its work on frames for their next clips, beside one that does not.

Every engine and precision that offers it has a process of its own. Both networks get the same clips, each moved on by
`--stride` frames, and take turns of some clips, so that whatever else the machine does meets both, and neither always
finds the other's weights in the cache. Without `-m` the network of `-c` is exported with weights of chance: they take
as long as others.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from paddlevideo.config import load_config
from paddlevideo.engines import ENGINES, Network, obstacle
from paddlevideo.tasks.benchmark import machine
from paddlevideo.tasks.exporter import REUSING, export
from paddlevideo.tasks.graphs import differences
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Predictor, read_facts, read_sliding
from paddlevideo.types import Arrays, FloatArray
from paddlevideo.utils.command import run_command
from paddlevideo.utils.cpu import available_cores, use_threads
from paddlevideo.utils.device import use_device
from paddlevideo.utils.process import in_own_process

TURN = 5  # clips; the first ones, of which one is computed as a whole, are not counted


def measure(
    folder: Path, engine: str, precision: str, threads: int, frames: int, stride: int
) -> tuple[float, float, float]:
    """Median milliseconds of a clip without and with reuse, and the largest relative difference of their answers."""
    use_device("cpu")
    use_threads(threads)
    networks = [Predictor.from_export(folder, engine, precision, threads, reuse).network for reuse in (0, 1)]
    channels, length, height, width = (read_facts(folder).inputs or {})["clip"]
    video = np.random.default_rng(0).random((1, channels, length + stride * (TURN + frames), height, width), np.float32)
    times: tuple[list[float], list[float]] = ([], [])
    difference = 0.0
    for first in range(0, TURN + frames, TURN):
        starts = range(first, min(first + TURN, TURN + frames))
        clips = [np.ascontiguousarray(video[:, :, stride * k : stride * k + length]) for k in starts]
        whole, reused = (turn(network, clips, taken) for network, taken in zip(networks, times, strict=True))
        for answers in zip(reused, whole, strict=True):
            difference = max(difference, *(one.relative for one in differences(*answers)))
    without, with_reuse = (float(np.median(taken[TURN:])) for taken in times)
    return without, with_reuse, difference


def turn(network: Network, clips: Sequence[FloatArray], taken: list[float]) -> list[Arrays]:
    """The answers to some clips; the milliseconds of each are added to `taken`."""
    answers = []
    for clip in clips:
        start = time.perf_counter()
        answers.append(network({"clip": clip}))
        taken.append(1000 * (time.perf_counter() - start))
    return answers


def run(arguments: Sequence[str] | None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", type=Path, help="export folder")
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo.yaml"))
    parser.add_argument("--frames", type=int, default=40, help="clips that are measured (default: 40)")
    parser.add_argument("--stride", type=int, default=1, help="frames from each clip to the next (default: 1)")
    parser.add_argument("--threads", type=int, default=available_cores(), help="default: a thread a core")
    args = parser.parse_args(arguments)
    use_device("cpu")
    with tempfile.TemporaryDirectory() as work:
        config = load_config(args.config)
        folder = args.model or export(build_model(config), config, work, REUSING)
        print(machine(args.threads))
        print(f"{'engine':<12} {'precision':<10}{'whole, ms':>12}{'reuse, ms':>12}{'ratio':>8}{'difference':>12}")
        graphs = read_sliding(folder, read_facts(folder))
        for engine in ENGINES.values():
            for precision in engine.formats:
                if obstacle(engine, precision, graphs) is None:
                    options = (folder, engine.name, precision, args.threads, args.frames, args.stride)
                    without, reused, difference = in_own_process(measure, *options)
                    row = f"{without:>12.1f}{reused:>12.1f}{without / reused:>8.2f}{difference:>12.1e}"
                    print(f"{engine.name:<12} {precision:<10}{row}", flush=True)


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
