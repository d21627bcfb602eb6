"""Where the time of training steps goes, and what may be done about it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import paddle

T = TypeVar("T")
SKIPPED = 2  # first steps, in which graphs are built and workers start
LITTLE, MUCH = 0.0005, 0.2  # shares of a step that are worth a line, and a word of advice
ADVICE = {  # in the order in which it is worth trying
    "loader": "the network waits for data: raise num_workers (now {workers}, this machine has {cores} cores), keep the "
    "media on a faster disk, or make the pictures smaller beforehand",
    "exchange": "processes wait for each other: raise accumulation, give all machines an equal load, or use a faster "
    "network between them",
    "rest": "much is spent beside the steps: raise log_interval and save_interval, or leave out save_minutes",
    "optimizer": "the weights move often for so small batches: raise batch_size or accumulation, or freeze parts",
    "loss": "the loss takes long for its size: look for loops over boxes in it",
}
COMPUTING = (
    "the network itself takes the time: use a GPU, there mixed precision (--amp), more processes, a smaller "
    "MODEL.input.size or MODEL.input.num_frames, or narrower branches"
)


class StepTimes:
    """Measures the parts of training steps; costs nothing unless it is enabled.

    Args:
        enabled: whether it measures.
        workers: processes that read, for the advice.
    """

    def __init__(self, enabled: bool, workers: int) -> None:
        self.enabled, self.workers = enabled, workers
        self.steps: list[dict[str, float]] = []  # seconds of each part, and of the `whole`

    def each(self, batches: Iterable[T]) -> Iterator[T]:
        """The batches, with the time that they are waited for and that passes until the next one."""
        if not self.enabled:
            yield from batches
            return
        source = iter(batches)
        while True:
            begin = time.perf_counter()
            self.steps.append({})
            with self.part("loader"):
                batch = next(source, None)
            if batch is None:
                self.steps.pop()
                return
            yield batch
            self.steps[-1]["whole"] = time.perf_counter() - begin

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What happens within this context is a part of the step."""
        if not self.enabled:
            yield
            return
        begin = time.perf_counter()
        yield
        if paddle.device.get_device() != "cpu":
            paddle.device.synchronize()  # its work is only queued so far
        step = self.steps[-1]
        step[name] = step.get(name, 0.0) + time.perf_counter() - begin

    def table(self) -> str:
        """Milliseconds and share of every part, and advice; empty if nothing was measured."""
        steps = [step for step in self.steps[SKIPPED:] or self.steps if "whole" in step]
        if not steps:
            return ""
        names = dict.fromkeys(name for step in steps for name in step)
        seconds = {name: sum(step.get(name, 0.0) for step in steps) / len(steps) for name in names}
        whole = seconds.pop("whole")
        seconds["rest"] = whole - sum(seconds.values())
        lines = [f"a step of training takes {1000 * whole:.1f} ms (mean of {len(steps)})"]
        shares = {name: value / whole for name, value in seconds.items() if value > LITTLE * whole}
        lines += [f"  {name:<10} {1000 * seconds[name]:8.1f} ms {share:6.1%}" for name, share in shares.items()]
        return "\n".join([*lines, f"  {self._advice(shares)}"])

    def _advice(self, shares: dict[str, float]) -> str:
        found = [text for name, text in ADVICE.items() if shares.get(name, 0.0) > MUCH]
        return (found or [COMPUTING])[0].format(workers=self.workers, cores=os.cpu_count())
