"""Runs of several processes for tests: `main.py` as Paddle's launcher starts it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from paddlevideo.config import Config, save_config
from tests.conftest import REPOSITORY


def start(config: Config, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Two processes of `main.py` that write to `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder.with_suffix(".yaml")
    save_config(dataclasses.replace(config, output_dir=str(folder)), path)
    launcher = [
        sys.executable,
        "-m",
        "paddle.distributed.launch",
        "--nproc_per_node",
        "2",
        "--log_dir",
        f"{folder}.log",
    ]
    command = [*launcher, str(REPOSITORY / "main.py"), "-c", str(path), "--device", "cpu", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PADDLE_", "OMP_NUM"))}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str], seconds: float = 600) -> tuple[int, str]:
    """Exit code of the launcher and all that was said."""
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            process.terminate()  # it ends what it started
            process.communicate(timeout=60)
    return process.returncode, said


def launch(config: Config, folder: Path, *arguments: str) -> str:
    """Let two processes come to a good end; returns what they said."""
    code, said = finish(start(config, folder, *arguments))
    assert code == 0, said
    return said


def ranks_of(folder: Path) -> list[int]:
    """Ids of the processes that write to `folder`, by rank."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            variables = (path / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        rank = [word for word in variables if word.startswith(b"PADDLE_TRAINER_ID=")]
        if rank and f"{folder}.yaml".encode() in words:
            found[rank[0]] = int(path.name)
    return [found[key] for key in sorted(found)]
