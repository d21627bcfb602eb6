"""What proposals are worth that never saw the videos: windows spread evenly, or drawn, over those of a test set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.config import Config, load_config
from paddlevideo.metrics import ProposalRecall
from paddlevideo.tasks.parts import build_annotations
from paddlevideo.utils.command import run_command

Windows: TypeAlias = npt.NDArray[np.float64]  # [K, 2], fractions of the video, the first ones first
LEVELS = 10  # lengths of 1, 1/2, ..., 1/10 of the video make 100 windows


def spread() -> Windows:
    """Windows of every length that overlap the next of their length by half, the long ones first."""
    return np.array([(k / (2 * n), (k + 2) / (2 * n)) for n in range(1, LEVELS + 1) for k in range(2 * n - 1)])


def mixed(rng: np.random.Generator) -> Windows:
    """The same windows in a random order, so that the first few have all lengths."""
    return rng.permutation(spread())


def drawn(rng: np.random.Generator) -> Windows:
    """As many windows whose ends are drawn anywhere."""
    return np.sort(rng.random((LEVELS**2, 2)), axis=1)


def measure(config: Config, windows: Callable[[], Windows]) -> dict[str, float]:
    """The numbers of windows, asked for anew for each video."""
    dataset, metric = build_annotations(config, "test"), ProposalRecall()
    for number in range(len(dataset)):
        sample = dataset.annotation(number)
        segments = windows() * sample["meta"]["duration"]
        prediction = {"segments": segments, "scores": -np.arange(len(segments), dtype=np.float64)}
        metric.update([prediction], [sample["targets"]], [sample["meta"]])
    return metric.accumulate()


def run(arguments: Sequence[str] | None) -> None:
    """Print a line for each kind of windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/bmn_sample.yaml"))
    config = load_config(parser.parse_args(arguments).config)
    rng = np.random.default_rng(0)
    kinds: dict[str, Callable[[], Windows]] = {
        "spread evenly, long first": spread,
        "spread evenly, any order": lambda: mixed(rng),
        "drawn at random": lambda: drawn(rng),
    }
    for number, (name, windows) in enumerate(kinds.items()):
        numbers = measure(config, windows)
        if number == 0:
            print(f"{'percent':<28}" + "".join(f"{title:>9}" for title in numbers))
        print(f"{name:<28}" + "".join(f"{100 * value:>9.2f}" for value in numbers.values()))


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
