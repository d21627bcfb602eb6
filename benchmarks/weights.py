"""Reading the weights of the full YOWO: this reader and `paddle.load`, in turn, on one file of each kind."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import paddle

from paddlevideo.config import load_config
from paddlevideo.tasks.parts import build_model
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.weights import read_weights, write_tensors

ROUNDS = 7


def seconds(job: Callable[[], Any]) -> float:
    """How long a job takes, by the processor's time."""
    start = time.process_time()
    job()
    return time.process_time() - start


def run() -> None:
    """Write both files, read each in turn, print the medians."""
    use_device("cpu")
    model = build_model(load_config("configs/localization/yowo.yaml"))
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        pickled, mapped = Path(folder) / "w.pdparams", Path(folder) / "w.safetensors"
        for path in (pickled, mapped):
            write_tensors(state, path)
        jobs: dict[str, Callable[[], Any]] = {
            "paddle.load, .pdparams": lambda: paddle.load(str(pickled)),
            "read_weights, .pdparams": lambda: read_weights(pickled),
            "read_weights, .safetensors": lambda: read_weights(mapped),
        }
        taken: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(ROUNDS):
            for name, job in jobs.items():
                taken[name].append(seconds(job))
        back = read_weights(mapped).tensors
        equal = all(back[name].tobytes() == value.tobytes() for name, value in state.items())
        print(f"{pickled.stat().st_size / 1e6:.0f} MB; .pdparams to .safetensors and back bit-equal: {equal}")
    first = float(np.median(next(iter(taken.values()))))
    for name, times in taken.items():
        print(f"{name:<28}{np.median(times):>8.3f} s{np.median(times) / first:>8.2f} times paddle.load")


if __name__ == "__main__":
    sys.exit(run_command(run))
