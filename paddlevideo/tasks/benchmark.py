"""What networks cost on this machine, and how far they are from the eager one: a row for each, side by side."""

from __future__ import annotations

import functools
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paddlevideo.config import Config, load_config
from paddlevideo.engines import ENGINES, obstacle
from paddlevideo.loader.media.live import StoredStream
from paddlevideo.tasks.evaluation import evaluate
from paddlevideo.tasks.exporter import probe
from paddlevideo.tasks.graphs import differences
from paddlevideo.tasks.parts import build_dataset, build_loader, build_metrics
from paddlevideo.tasks.predictor import Predictor, read_facts, read_graphs
from paddlevideo.tasks.streaming import Step, batches
from paddlevideo.utils.cpu import use_threads
from paddlevideo.utils.device import use_device
from paddlevideo.utils.logging import logger
from paddlevideo.utils.process import fresh_process

WARM_UP = 3
EAGER = "eager"


@dataclass(frozen=True)
class Row:
    """What is measured: a network and how it is run.

    Args:
        path: an export folder, or weights with `config.yaml` beside them.
        engine: one of `ENGINES`, or `EAGER` for weights.
        precision: that it runs in.
        threads: of the CPU.
        video: whose frames it predicts.
    """

    path: Path
    engine: str
    precision: str
    threads: int
    video: Path


@dataclass(frozen=True)
class Result:
    """What was measured of a row; `note` says why, if nothing was.

    Args:
        row: what was measured.
        note: empty, or what is in the way.
        frame: milliseconds from a frame of the video to its detections, one a round.
        network: milliseconds of the network alone, one a round.
        memory: the most that its process held, MB; None where the system does not tell.
        absolute: largest difference to the eager outputs for made-up inputs; None for the eager network.
        relative: the same as a share of the output's largest absolute value.
        score: the deciding metric on a dataset, None if there is none.
    """

    row: Row
    note: str = ""
    frame: Sequence[float] = ()
    network: Sequence[float] = ()
    memory: float | None = None
    absolute: float | None = None
    relative: float | None = None
    score: float | None = None


class Subject:
    """The network of a row, in the process that measures it."""

    def __init__(self, row: Row) -> None:
        logger.setLevel("WARNING")  # the table speaks
        use_device("cpu")
        use_threads(row.threads)
        self.row = row
        if row.engine == EAGER:
            self.predictor = Predictor.from_checkpoint(load_config(row.path.parent / "config.yaml"), row.path)
        else:
            self.predictor = Predictor.from_export(row.path, row.engine, row.precision, row.threads)
        self.inputs = probe(self.predictor)
        self.predictions = self._endless()
        self.turn(WARM_UP)

    def _endless(self) -> Iterator[Any]:
        while True:
            stream = StoredStream(self.row.video)
            steps = (Step(stream, sample) for sample in self.predictor.open(stream))
            for _, inputs, meta in batches(steps, 1, self.predictor.input):
                if meta:  # frames after the last answer have none
                    yield self.predictor.batch(inputs, meta)

    def turn(self, frames: int) -> tuple[float, float]:
        """Milliseconds a frame, from the video to detections and of the network alone."""
        return (
            _milliseconds(lambda: next(self.predictions), frames),
            _milliseconds(lambda: self.predictor.network(self.inputs), frames),
        )

    def difference(self) -> tuple[float, float] | None:
        """The largest absolute and relative difference to the eager outputs that the export folder keeps."""
        if self.row.engine == EAGER:
            return None
        with np.load(self.row.path / "reference.npz") as eager:
            found = differences(self.predictor.network(self.inputs), dict(eager))
        return max(one.absolute for one in found), max(one.relative for one in found)

    def score(self, config: Config) -> float:
        """The deciding metric on the config's test set."""
        loader = build_loader(config, build_dataset(config, "test", self.predictor.input))
        metrics = build_metrics(config)
        return evaluate(self.predictor.batch, loader, metrics, config.log_interval)[metrics[0].primary]


def _milliseconds(job: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        job()
    return 1000 * (time.perf_counter() - start) / times


@functools.cache
def subject(row: Row) -> Subject:
    """The one of this process."""
    return Subject(row)


def take_turn(row: Row, frames: int) -> tuple[float, float]:
    """See `Subject.turn`."""
    return subject(row).turn(frames)


def conclude(row: Row, config: Config | None) -> dict[str, Any]:
    """What needs no rounds: memory of the turns taken, then difference and score."""
    one = subject(row)
    memory = peak_memory()
    difference = one.difference()
    return {
        "memory": memory,
        "absolute": difference and difference[0],
        "relative": difference and difference[1],
        "score": None if config is None else one.score(config),
    }


def peak_memory() -> float | None:
    """The most that this process held, in MB; None where the system does not tell.

    Not `getrusage`, whose number begins with the memory of the process that started this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


def rows_of(folder: Path, video: Path, threads: int, only: Sequence[str]) -> list[Result]:
    """Every engine and precision for an export folder, Paddle first; those that cannot run have a note.

    Args:
        folder: to run.
        video: to predict.
        threads: of the CPU.
        only: those wanted, as `engine:precision`; none is all of them.
    """
    graphs = read_graphs(folder, read_facts(folder))
    results = []
    for engine in reversed(ENGINES.values()):
        for precision in engine.formats:
            if not only or f"{engine.name}:{precision}" in only:
                row = Row(folder, engine.name, precision, threads, video)
                results.append(Result(row, obstacle(engine, precision, graphs) or ""))
    return results


def measure_all(planned: Sequence[Result], rounds: int, frames: int, config: Config | None) -> list[Result]:
    """Measure the rows that can run, each in a process of its own, taking turns.

    So whatever else the machine does meets all of them, and each one's memory is its own.

    Args:
        planned: rows, with a note if they cannot run.
        rounds: turns of each.
        frames: of one turn.
        config: of a dataset to score them on.
    """
    if config is not None:
        build_metrics(config)  # so that what is wrong with it is said before anything is measured
    with ExitStack() as stack:
        runs: dict[Row, ProcessPoolExecutor] = {
            one.row: stack.enter_context(fresh_process()) for one in planned if not one.note
        }
        turns: dict[Row, list[tuple[float, float]]] = {row: [] for row in runs}
        for number in range(rounds):
            for row, process in runs.items():
                turns[row].append(process.submit(take_turn, row, frames).result())
            logger.info("round %d of %d", number + 1, rounds)
        ends = {row: process.submit(conclude, row, config).result() for row, process in runs.items()}
    return [one if one.note else _result(one.row, turns[one.row], ends[one.row]) for one in planned]


def _result(row: Row, turns: list[tuple[float, float]], end: dict[str, Any]) -> Result:
    return Result(row, frame=[turn[0] for turn in turns], network=[turn[1] for turn in turns], **end)


def machine(threads: int) -> str:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((t.partition(":")[2].strip() for t in info.read_text().splitlines() if "model name" in t), cpu)
    return f"{cpu}, {threads} threads"


def table(results: Sequence[Result]) -> str:
    """Rows as text: medians over the rounds with the least and largest in brackets.

    Speed is that of the network against the first row of the same model, and so is the change of the score.
    """
    head = ("model", "engine", "precision", "ms a frame", "FPS", "ms network", "speed", "MB", "absolute", "relative")
    lines = [[*head, "score", "change"]]
    first: dict[str, Result] = {}
    for one in results:
        cells = [one.row.path.name, one.row.engine, one.row.precision]
        if one.note:
            lines.append([*cells, one.note])
            continue
        base = first.setdefault(cells[0], one)
        frame, network = float(np.median(one.frame)), float(np.median(one.network))
        cells += [_spread(one.frame), f"{1000 / frame:.1f}", _spread(one.network)]
        cells += [f"{np.median(base.network) / network:.2f}", "-" if one.memory is None else f"{one.memory:.0f}"]
        cells += ["-" if value is None else f"{value:.1e}" for value in (one.absolute, one.relative)]
        if one.score is not None and base.score is not None:
            cells += [f"{one.score:.4f}", f"{one.score - base.score:+.4f}"]
        lines.append(cells)
    widths = [max(len(line[k]) for line in lines if len(line) > max(k, 4)) for k in range(len(lines[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=False)).rstrip() for line in lines
    )


def _spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def plain(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Rows as plain containers, with every turn's time."""
    return [
        {**asdict(one), "row": {**asdict(one.row), "path": str(one.row.path), "video": str(one.row.video)}}
        for one in results
    ]
