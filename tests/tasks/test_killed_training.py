"""Runs that are killed at random moments and resumed end as if nothing had happened.

`KILLS=20 python -m pytest -s tests/tasks/test_killed_training.py` kills more often than the suite does.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.config import Config
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils.device import use_device
from paddlevideo.utils.safe_pickle import load_pickle
from paddlevideo.weights import read_weights

KILLS = int(os.environ.get("KILLS", "2"))
SERVER = multiprocessing.get_context("forkserver")  # imports Paddle once, and has no threads when it forks
SERVER.set_forkserver_preload(["visualdl", "paddlevideo.tasks.trainer"])


def train(config: Config, started: Connection) -> None:
    """What is killed: a run that goes on where it can."""
    multiprocessing.set_start_method("fork", force=True)  # for workers, as in a process of its own
    use_device("cpu")
    trainer = Trainer(config, resume=(Path(config.output_dir) / "last").exists())
    started.send(None)
    trainer.fit()


def start(config: Config) -> multiprocessing.process.BaseProcess:
    """A process that has begun to train."""
    receiver, sender = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=train, args=(config, sender))
    process.start()
    sender.close()
    receiver.recv()  # an EOFError if the process ended before
    return process


def finish(config: Config) -> float:
    """Let a run come to its end; returns the seconds that it trained."""
    process, begin = start(config), time.monotonic()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - begin


def arrays_in(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for name in ("last.pdparams", "best.pdparams"):
        yield from read_weights(folder / name).tensors.items()
    yield from load_pickle(folder / "last" / "training.pdopt")["optimizer"]["arrays"].items()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_run_ends_bit_equal_to_an_uninterrupted_one(tiny_config: Config, tmp_path: Path, workers: int) -> None:
    config = dataclasses.replace(
        tiny_config, num_workers=workers, epochs=1 + KILLS // 4, accumulation=2, save_minutes=0.0, log_interval=1
    )
    whole, killed = (dataclasses.replace(config, output_dir=str(tmp_path / name)) for name in ("whole", "killed"))
    seconds = finish(whole)
    while_saving = 0
    for wait in np.random.default_rng(workers).uniform(0, seconds / KILLS, KILLS):
        process = start(killed)
        time.sleep(wait)
        assert process.is_alive()
        process.kill()
        process.join()
        while_saving += any((tmp_path / "killed" / "checkpoints").glob(".*.tmp"))
    finish(killed)
    print(f"{workers} workers: {KILLS} kills within {seconds:.1f} s of training, {while_saving} while saving")
    for (name, one), (_, two) in zip(arrays_in(tmp_path / "whole"), arrays_in(tmp_path / "killed"), strict=True):
        np.testing.assert_array_equal(one, two, err_msg=name)
    journals = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "killed")]
    assert journals[0] == journals[1]
