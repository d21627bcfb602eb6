"""Two processes of half a batch train and measure as one process does."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.config import Config
from paddlevideo.tasks.evaluation import test as measure
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils import norms, processes
from paddlevideo.utils.safe_pickle import load_pickle
from paddlevideo.weights import read_weights
from tests.tasks.launched import finish, launch, ranks_of, start


@pytest.fixture(scope="module")
def half(tiny_config: Config) -> Config:
    """Two epochs of four batches of 2 in each process, which move the weights after three and one."""
    model = {**tiny_config.MODEL, "neck": {**tiny_config.MODEL["neck"], "dropout": 0.0}}  # masks are a process's own
    # Rounding grows a hundredfold with each larger movement of this network, also in one process.
    gentle = {"name": "Momentum", "learning_rate": 1.0e-6}
    settings = {"batch_size": 2, "accumulation": 3, "sync_bn": True, "log_interval": 1, "num_workers": 1}
    return dataclasses.replace(tiny_config, MODEL=model, OPTIMIZER=gentle, **settings)


@pytest.fixture(scope="module")
def together(half: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes write."""
    folder = tmp_path_factory.mktemp("processes") / "together"
    launch(half, folder)
    return folder


def journal(folder: Path, group: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line[group] for line in lines if group in line]


def weights_in(folder: Path) -> dict[str, np.ndarray]:
    return read_weights(folder / "last.pdparams").tensors


def test_the_losses_and_movements_are_those_of_one_process(half: Config, together: Path, tmp_path: Path) -> None:
    trainer = Trainer(dataclasses.replace(half, batch_size=4, output_dir=str(tmp_path)))
    before = {name: value.numpy() for name, value in trainer.model.state_dict().items()}
    trainer.fit()
    alone, both = journal(tmp_path, "batch"), journal(together, "batch")
    assert len(alone) == len(both) == 8
    for one, two in zip(alone, both, strict=True):
        assert {**two, "recall": 0.0} == pytest.approx({**one, "recall": 0.0}, rel=1e-3, abs=1e-6)
    moved, shared = (
        np.concatenate([(weights_in(folder)[name] - value).ravel() for name, value in before.items()])
        for folder in (tmp_path, together)
    )
    assert np.linalg.norm(shared - moved) < 0.01 * np.linalg.norm(moved)


def test_the_metrics_are_those_of_one_process(half: Config, together: Path, tmp_path: Path) -> None:
    weights = together / "last.pdparams"
    launch(half, tmp_path / "both", "--test", "-w", str(weights))
    numbers = measure(dataclasses.replace(half, output_dir=str(tmp_path / "alone")), weights)
    folders = [tmp_path / name / "test" for name in ("both", "alone")]
    assert json.loads((folders[0] / "metrics.json").read_text()) == numbers
    assert journal(together, "test")[-1] == numbers
    lines = [(folder / "detections.jsonl").read_text().splitlines() for folder in folders]
    assert [json.loads(line).get("id") for line in lines[0]] == [json.loads(line).get("id") for line in lines[1]]


def wait_for(path: Path, lines: int, process: subprocess.Popen[str]) -> None:
    """Until a run has written so many lines."""
    while not path.is_file() or len(path.read_text().splitlines()) < lines:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def test_a_stopped_job_goes_on_exactly(half: Config, together: Path, tmp_path: Path) -> None:
    process = start(half, tmp_path / "run")
    wait_for(tmp_path / "run" / "metrics.jsonl", 1, process)
    process.send_signal(signal.SIGTERM)
    code, said = finish(process)
    assert code != 0
    logs = [path.read_text() for path in sorted((tmp_path / "run.log").glob("workerlog.*"))]
    assert "stopped by SIGTERM" in logs[0], said
    progress = load_pickle(tmp_path / "run" / "last" / "training.pdopt")["progress"]
    assert 0 < progress["iterations"] < 8, said
    launch(half, tmp_path / "run", "--resume")
    resumed = weights_in(tmp_path / "run")
    for name, value in weights_in(together).items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == (together / "metrics.jsonl").read_text()


def test_a_job_goes_on_with_other_processes_of_the_same_batch(
    half: Config, together: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    folder = shutil.copytree(together, tmp_path / "run", symlinks=True)
    config = dataclasses.replace(half, batch_size=4, epochs=3, output_dir=str(folder))
    Trainer(config, validate=False, resume=True).fit()
    assert "run.processes: was 2, is 1" in caplog.text
    assert "config.batch_size: was 2, is 4" in caplog.text
    assert len(journal(folder, "batch")) == 12


def test_statistics_become_means_before_they_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    norm = nn.BatchNorm2D(1)
    norm._mean.set_value(paddle.full([1], 3.0))
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(norms.distributed, "all_reduce", lambda tensor: tensor.add_(paddle.full([1], 7.0)))
    norms.average_statistics(nn.Sequential(norm, frozen := nn.BatchNorm2D(1, use_global_stats=True)))
    assert (norm._mean.item(), norm._variance.item()) == ((3 + 7) / 2, (1 + 7) / 2)
    assert (frozen._mean.item(), frozen._variance.item()) == (0, 1)


def test_a_killed_process_ends_the_job(half: Config, tmp_path: Path) -> None:
    process = start(dataclasses.replace(half, epochs=1000), tmp_path / "run")
    wait_for(tmp_path / "run" / "metrics.jsonl", 1, process)
    os.kill(ranks_of(tmp_path / "run")[1], signal.SIGKILL)
    code, said = finish(process, 60)
    assert code != 0, said
    deadline = time.monotonic() + 20
    while left := ranks_of(tmp_path / "run"):  # workers of loaders have the command line of their rank
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
