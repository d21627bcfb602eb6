"""Programs that run an exported network: a file each, and the choice between them.

An engine is a class of `base.Engine` and a place in `ENGINES`; nothing else knows its name.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import paddle

from paddlevideo.engines.base import Engine, Graph, Network, Settings, missing, require
from paddlevideo.engines.onnx_runtime import ONNXRuntime
from paddlevideo.engines.openvino_runtime import OpenVINO
from paddlevideo.engines.paddle_inference import PaddleInference

__all__ = [
    "ENGINES", "PRECISIONS", "Engine", "Graph", "Network", "Settings", "add_options", "choose", "chosen_options",
    "obstacle", "require",
]  # fmt: skip

ENGINES: dict[str, Engine] = {e.name: e for e in (OpenVINO(), ONNXRuntime(), PaddleInference())}  # the fastest first
PRECISIONS = ("float32", "bf16", "int8")


def choose(name: str, precision: str, graphs: Mapping[str, Graph], where: Path) -> tuple[Engine, Graph]:
    """An engine and what it runs.

    Args:
        name: of the engine; `auto` is the first of `ENGINES` that can run a graph of the folder here.
        precision: one of `PRECISIONS`.
        graphs: by format.
        where: the export folder, for messages.

    Raises:
        ValueError: no such engine, or it cannot; says what is in the way of each and what to do.
    """
    if name not in ("auto", *ENGINES):
        raise ValueError(f"no engine called {name!r}; there are auto, {', '.join(ENGINES)}")
    reasons = []
    for engine in ENGINES.values() if name == "auto" else [ENGINES[name]]:
        reason = obstacle(engine, precision, graphs)
        if reason is None:
            return engine, graphs[engine.formats[precision]]
        reasons.append(f"{engine.name}: {reason}")
    raise ValueError(f"{where}: engine {name} cannot run it in {precision}; {'; '.join(reasons)}")


def obstacle(engine: Engine, precision: str, graphs: Mapping[str, Graph]) -> str | None:
    """What is in the way of running one of these graphs here, and what to do about it; None if nothing is."""
    if precision not in engine.formats:
        return f"it has no {precision}, but {', '.join(engine.formats)}"
    if find_spec(engine.package) is None:
        return missing(engine.package, engine.extra)
    if not engine.on_gpu and paddle.device.get_device() != "cpu":
        return "it runs on the CPU only; choose --device cpu"
    if engine.formats[precision] not in graphs:
        flag = "--precision int8" if precision == "int8" else f"--format {engine.formats[precision]}"
        return f"the folder has no graph for it; export the model again with tools/export_model.py {flag}"
    return engine.lacks(precision)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a command asks about running an exported network."""
    parser.add_argument(
        "--engine", choices=("auto", *ENGINES), help="that runs an exported network (default: auto, the fastest)"
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="that it runs in (default: float32)")
    parser.add_argument("--threads", type=int, help="CPU threads of an exported network")


def chosen_options(args: argparse.Namespace, exported: bool) -> dict[str, Any]:
    """What was chosen of `add_options`, as arguments of `Predictor.from_export`.

    Raises:
        ValueError: something was, but it is no `exported` network that will run, or no number of threads.
    """
    given = {name: getattr(args, name) for name in ("engine", "precision", "threads")}
    chosen = {name: value for name, value in given.items() if value is not None}
    if chosen and not exported:
        raise ValueError(f"an exported network has --{' and --'.join(chosen)}; name its folder with -m")
    if chosen.get("threads", 1) < 1:
        raise ValueError(f"--threads should be at least 1, got {args.threads}")
    return chosen
