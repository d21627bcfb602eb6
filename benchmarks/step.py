"""What a training step of the trainer costs beside forward, backward and optimizer, on the sample videos.

The trainer runs an epoch with a clock around the network, the loss, the backward pass, the optimizer, and the wait for
batches. What is left is overhead: numbers for logs, progress, checks, the schedule. The first steps,
in which the loader fills and graphs are made, are not counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import paddle

from paddlevideo.config import load_config
from paddlevideo.loader.batches import Batches
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.types import Batch
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.logging import start_logging

WARM_UP = 10  # steps


class Clock:
    """Seconds spent in some functions, by name; those called inside of another count for that one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.running = False

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*arguments: Any, **keywords: Any) -> Any:
            if self.running:
                return function(*arguments, **keywords)
            self.running, start = True, time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self.running = False
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

        return timed


class TimedBatches:
    """A loader, and how long it lets the trainer wait."""

    def __init__(self, loader: Batches, clock: Clock) -> None:
        self.loader, self.clock = loader, clock

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        batches = iter(self.loader)
        following = self.clock.around("loader", lambda: next(batches, None))
        while (batch := following()) is not None:
            yield batch


def measure(trainer: Trainer) -> tuple[int, float, dict[str, float]]:
    """Train; how many steps there were after the first few, their seconds, and those of their parts."""
    clock, marks = Clock(), list[tuple[float, dict[str, float]]]()
    owners: dict[str, Any] = {
        "forward": trainer.model,
        "loss": trainer.model,
        "backward": paddle.Tensor,
        "step": trainer.optimizer,
        "clear_grad": trainer.optimizer,
    }
    for name, owner in owners.items():
        setattr(owner, name, clock.around(name, getattr(owner, name)))
    train_step = trainer.train_step

    def noted(*arguments: Any) -> dict[str, float]:
        losses = train_step(*arguments)
        marks.append((time.perf_counter(), dict(clock.seconds)))
        return losses

    changed: Any = trainer
    changed.train_step, changed.loader = noted, TimedBatches(trainer.loader, clock)
    trainer.fit()
    (start, before), (end, after) = marks[WARM_UP], marks[-1]
    return len(marks) - 1 - WARM_UP, end - start, {name: after[name] - before[name] for name in after}


def run(arguments: Sequence[str] | None) -> None:
    """Train for an epoch and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo_sample.yaml"))
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=60)
    args = parser.parse_args(arguments)
    start_logging()
    use_device("cpu")
    limits = ["epochs=1", f"max_iters={args.steps}", "DATASET.train.step=1"]
    config = load_config(args.config, [*limits, *args.override])
    with tempfile.TemporaryDirectory() as folder:
        count, seconds, parts = measure(Trainer(dataclasses.replace(config, output_dir=folder), validate=False))
    parts["overhead"] = seconds - sum(parts.values())
    print(f"{'part of a step':<16}{'ms':>10}{'%':>8}")
    for name, spent in (*parts.items(), ("all", seconds)):
        print(f"{name:<16}{1000 * spent / count:>10.2f}{100 * spent / seconds:>8.2f}")


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
