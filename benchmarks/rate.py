"""How fast this machine multiplies, and how long a network's multiplications take at that rate.

The rate is that of OpenVINO for one large matrix product, the work that suits the cores best or nearly so. An engine
that takes no longer for the network has little left to gain, unless it multiplies less often than the convolutions say.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import paddle

from paddlevideo.config import load_config
from paddlevideo.engines import ENGINES
from paddlevideo.engines.openvino_runtime import HINTS, core, import_quietly
from paddlevideo.tasks.benchmark import machine
from paddlevideo.tasks.exporter import probe
from paddlevideo.tasks.parts import build_model
from paddlevideo.utils.command import run_command
from paddlevideo.utils.cpu import available_cores
from paddlevideo.utils.device import use_device
from paddlevideo.utils.summary import count_macs

SIZE = 2048  # of the matrices; a product of them is 8.6 G multiply-adds
PRECISIONS = ("float32", "bf16")


def rate(precision: str, threads: int, rounds: int) -> float:
    """Multiply-adds a second of OpenVINO for a product of large matrices, the best of some rounds."""
    openvino = import_quietly("openvino")
    ops = openvino.opset13
    matrix = np.random.default_rng(0).random((SIZE, SIZE), np.float32)
    given = ops.parameter([SIZE, SIZE], np.float32)
    model = openvino.Model([ops.matmul(given, ops.constant(matrix), False, False)], [given])
    options = {"INFERENCE_PRECISION_HINT": HINTS[precision], "INFERENCE_NUM_THREADS": str(threads)}
    request = core().compile_model(model, "CPU", options).create_infer_request()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        request.infer([matrix], share_inputs=True)
        seconds.append(time.perf_counter() - start)
    return SIZE**3 / min(seconds)


def run(arguments: Sequence[str] | None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo.yaml"))
    parser.add_argument("--rounds", type=int, default=30, help="matrix products (default: 30)")
    parser.add_argument("--threads", type=int, default=available_cores(), help="default: a thread a core")
    args = parser.parse_args(arguments)
    use_device("cpu")
    model = build_model(load_config(args.config))
    inputs = {name: paddle.to_tensor(value) for name, value in probe(model).items()}
    macs = sum(count_macs(model, inputs).values())
    print(f"{machine(args.threads)}; {args.config}: {macs / 1e9:.1f} G multiply-adds a clip")
    print(f"{'precision':<10}{'G a second':>12}{'ms':>10}")
    for precision in PRECISIONS:
        lack = ENGINES["openvino"].lacks(precision)
        if lack is None:
            fastest = rate(precision, args.threads, args.rounds)
            print(f"{precision:<10}{fastest / 1e9:>12.1f}{1000 * macs / fastest:>10.1f}")
        else:
            print(f"{precision:<10}  {lack}")


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
