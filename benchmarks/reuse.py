"""Milliseconds a frame of a network that reuses its work on frames beside one that does not, for every engine.

The weights are random, which changes no time. Both networks get the same clips, each moved on by a frame, and take
turns, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from paddlevideo.config import load_config
from paddlevideo.engines import ENGINES, obstacle
from paddlevideo.tasks.exporter import FORMATS, export
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Predictor, read_facts, read_graphs
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.logging import start_logging

SETTLING = 2  # the first clip goes through the whole stem, and the second makes all sums


def export_random(config: Path, overrides: Sequence[str], folder: Path) -> None:
    """Export the model of a config as it is before training."""
    use_device("cpu")
    settings = load_config(config, overrides)
    export(build_model(settings), settings, folder, FORMATS)


def measure(folder: Path, engine: str, precision: str, frames: int) -> tuple[list[float], list[float], float]:
    """Milliseconds of each frame without and with reuse, and the largest relative difference of their answers."""
    use_device("cpu")
    networks = [Predictor.from_export(folder, engine, precision, reuse=reuse).network for reuse in (0, 1)]
    channels, length, height, width = read_facts(folder)["inputs"]["clip"]
    video = np.random.default_rng(0).random((1, channels, length + SETTLING + frames, height, width), np.float32)
    times: tuple[list[float], list[float]] = ([], [])
    difference = 0.0
    for first in range(SETTLING + frames):
        inputs = {"clip": np.ascontiguousarray(video[:, :, first : first + length])}
        answers = []
        for network, taken in zip(networks, times, strict=True):
            start = time.perf_counter()
            answers.append(network(inputs))
            taken.append(1000 * (time.perf_counter() - start))
        expected, found = answers
        difference = max(difference, *(np.abs(found[k] - v).max() / np.abs(v).max() for k, v in expected.items()))
    whole, reuse = times
    return whole[SETTLING:], reuse[SETTLING:], float(difference)


def run(arguments: Sequence[str] | None) -> None:
    """Export, measure every engine in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo.yaml"))
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path, default=Path("demo/reuse"), help="export, used again if it is there")
    parser.add_argument("--frames", type=int, default=30, help="that are measured (default: 30)")
    args = parser.parse_args(arguments)
    start_logging()
    fresh = get_context("spawn")
    if not (args.folder / "inference.yaml").exists():
        with ProcessPoolExecutor(1, fresh) as process:
            process.submit(export_random, args.config, args.override, args.folder).result()
    graphs = read_graphs(args.folder, read_facts(args.folder))
    print(f"{'engine':<12} {'precision':<10}{'whole, ms':>12}{'reuse, ms':>12}{'ratio':>8}{'difference':>12}")
    rows = [(engine, precision) for engine in ENGINES.values() for precision in engine.formats]
    for engine, precision in rows:
        if obstacle(engine, precision, graphs):
            continue
        with ProcessPoolExecutor(1, fresh) as process:
            job = process.submit(measure, args.folder, engine.name, precision, args.frames)
            whole, reuse, difference = job.result()
        before, after = np.median(whole), np.median(reuse)
        row = f"{before:>12.1f}{after:>12.1f}{before / after:>8.2f}{difference:>12.1e}"
        print(f"{engine.name:<12} {precision:<10}{row}", flush=True)


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
