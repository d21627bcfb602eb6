"""Runs that are killed at random moments and resumed end as if nothing had happened.

`KILLS=20 python -m pytest -s tests/tasks/test_killed_training.py` kills more often than the suite does.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.config import Config
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils.device import use_device
from paddlevideo.utils.safe_pickle import load_pickle
from paddlevideo.weights import read_weights

KILLS = int(os.environ.get("KILLS", "2"))
LONGEST = 0.2  # seconds from the beginning of a batch or a checkpoint to the kill
SERVER = multiprocessing.get_context("forkserver")  # imports Paddle once, and has no threads when it forks
SERVER.set_forkserver_preload(["visualdl", "paddlevideo.tasks.trainer"])


def train(config: Config, moments: Connection) -> None:
    """What is killed: a run that goes on where it can, and tells when it begins to train on a batch or to save."""
    multiprocessing.set_start_method("fork", force=True)  # for workers, as in a process of its own
    use_device("cpu")
    trainer: Any = Trainer(config, resume=(Path(config.output_dir) / "last").exists())
    store = trainer.checkpoints.store
    trainer.train_step = announced(trainer.train_step, "batch", moments)
    store.save = announced(store.save, "saving", moments)
    trainer.fit()


def announced(function: Callable[..., Any], name: str, moments: Connection) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        moments.send(name)
        return function(*arguments)

    return call


def start(
    config: Config, job: Callable[[Config, Connection], None] = train
) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    """A process that trains, and what it tells."""
    receiver, sender = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=job, args=(config, sender))
    process.start()
    sender.close()
    return process, receiver


def finish(config: Config) -> None:
    """Let a run come to its end."""
    process, _ = start(config)
    process.join()
    assert process.exitcode == 0


def kill(config: Config, rng: np.random.Generator) -> None:
    """Kill a run in one of its first three batches, or while it saves after them."""
    process, moments = start(config)
    kind, left = rng.choice(["batch", "saving"]), rng.integers(1, 4)
    while left:
        left -= moments.recv() == kind  # an EOFError if the process has ended
    time.sleep(rng.uniform(0, LONGEST))
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.join()
    deadline = time.monotonic() + 5
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(filter(is_running, workers))
    assert process.exitcode == -signal.SIGKILL


def is_running(pid: str) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def arrays_in(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for name in ("last.pdparams", "best.pdparams"):
        yield from read_weights(folder / name).tensors.items()
    yield from load_pickle(folder / "last" / "training.pdopt")["optimizer"]["arrays"].items()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_run_ends_bit_equal_to_an_uninterrupted_one(tiny_config: Config, tmp_path: Path, workers: int) -> None:
    enough = {"epochs": 2 + KILLS * 3 // 4, "val_interval": 2}  # of four batches
    config = dataclasses.replace(
        tiny_config, **enough, num_workers=workers, accumulation=2, save_minutes=0.0, log_interval=1
    )
    whole, killed = (dataclasses.replace(config, output_dir=str(tmp_path / name)) for name in ("whole", "killed"))
    finish(whole)
    rng, while_saving = np.random.default_rng(workers), 0
    for _ in range(KILLS):
        kill(killed, rng)
        while_saving += any((tmp_path / "killed" / "checkpoints").glob(".*.tmp"))
    finish(killed)
    print(f"{workers} workers: {KILLS} kills, {while_saving} of them left half a checkpoint")
    for (name, one), (_, two) in zip(arrays_in(tmp_path / "whole"), arrays_in(tmp_path / "killed"), strict=True):
        np.testing.assert_array_equal(one, two, err_msg=name)
    journals = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "killed")]
    assert journals[0] == journals[1]


def train_with_a_stopped_worker(config: Config, moments: Connection) -> None:
    """A run whose first worker of the second epoch stops, as one that waits for a network disk."""
    multiprocessing.set_start_method("fork", force=True)
    use_device("cpu")
    trainer: Any = Trainer(config)
    packed = trainer.dataset.packed

    def stop_or_read(number: int) -> Any:
        if trainer.dataset.epoch == 1:
            moments.send(os.getpid())
            os.kill(os.getpid(), signal.SIGSTOP)
        return packed(number)

    trainer.dataset.packed = stop_or_read
    trainer.fit()


def test_a_stopped_worker_does_not_keep_a_run_from_saving(tiny_config: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, num_workers=1, epochs=3, val_interval=3, output_dir=str(tmp_path))
    process, moments = start(config, train_with_a_stopped_worker)
    worker = moments.recv()
    time.sleep(1)  # the run comes to wait for it
    assert process.pid is not None
    os.kill(process.pid, signal.SIGTERM)
    process.join(10)
    ended = process.exitcode is not None
    process.kill()
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)
    process.join()
    assert ended
    checkpoints = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert (tmp_path / "last").readlink().name == max(checkpoints)
