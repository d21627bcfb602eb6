"""Weights and training state on disk: written whole or not at all, read without running code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddlevideo.types import Arrays
from paddlevideo.utils.files import write_atomically
from paddlevideo.utils.safe_pickle import load_pickle


def save_weights(model: nn.Layer, path: Path) -> None:
    """Write the state dict to a `.pdparams` file."""
    write_atomically(path, lambda file: paddle.save(model.state_dict(), str(file)))


def load_weights(model: nn.Layer, path: str | Path) -> None:
    """Read a `.pdparams` file into a model; every parameter must be in it, in the right shape.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a weight file, or not of this model; names missing, unexpected and misshapen parameters.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weight file")
    state = load_pickle(path)
    if not isinstance(state, dict):
        raise ValueError(f"{path}: expected named arrays, got {type(state).__name__}")
    state = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
    problems = _differences({key: list(value.shape) for key, value in model.state_dict().items()}, state)
    if problems:
        raise ValueError(f"{path} does not fit the model of the config:\n  " + "\n  ".join(problems))
    model.set_state_dict(state)


def _differences(expected: dict[str, list[int]], state: Arrays) -> list[str]:
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    misshapen = [
        f"{key} is {list(state[key].shape)}, the model has {shape}"
        for key, shape in expected.items()
        if key in state and list(state[key].shape) != shape
    ]
    problems = []
    for title, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen)):
        if names:
            more = f" and {len(names) - 8} more" if len(names) > 8 else ""
            problems.append(f"{len(names)} {title}: {'; '.join(names[:8])}{more}")
    if misshapen and not missing and not unexpected:
        problems.append("were these weights trained for another number of classes or another width?")
    return problems


def save_training(model: nn.Layer, optimizer: Any, progress: dict[str, Any], path: Path) -> None:
    """Write what a resumed run needs besides the weights to a `.pdopt` file.

    Optimizer state is stored under the names of the model's parameters, not under Paddle's global counters, so that it
    fits a model built anew.

    Args:
        model: whose parameters the optimizer moves.
        optimizer: with its schedule.
        progress: plain numbers: epochs done, best value, ...
        path: of the file.
    """
    names = {parameter.name: key for key, parameter in model.named_parameters()}
    longest_first = sorted(names, key=len, reverse=True)
    arrays: dict[str, Any] = {}
    schedule: dict[str, Any] = {}
    for key, value in optimizer.state_dict().items():
        owner = next((name for name in longest_first if key.startswith(name + "_")), None)
        if key == "LR_Scheduler":
            schedule = value
        elif owner is None:
            raise KeyError(f"optimizer state {key} belongs to no parameter")
        else:
            arrays[f"{names[owner]}::{key[len(owner) :]}"] = value.numpy()
    state = {"optimizer": arrays, "schedule": schedule, "progress": progress}
    write_atomically(path, lambda file: file.write_bytes(pickle.dumps(state)))


def load_training(model: nn.Layer, optimizer: Any, path: Path) -> dict[str, Any]:
    """Read a `.pdopt` file into an optimizer.

    Returns:
        The `progress` that was saved.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a training state, or that of another model.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no training state to resume from; it is written at the end of every epoch")
    state = load_pickle(path)
    if not isinstance(state, dict) or set(state) != {"optimizer", "schedule", "progress"}:
        raise ValueError(f"{path}: not a training state written by this program")
    names = {key: parameter.name for key, parameter in model.named_parameters()}
    restored: dict[str, Any] = {}
    for key, value in state["optimizer"].items():
        owner, _, suffix = key.partition("::")
        if owner not in names:
            raise ValueError(f"{path}: has a state for {owner}, which the model of the config does not have")
        restored[names[owner] + suffix] = value
    if state["schedule"]:
        restored["LR_Scheduler"] = state["schedule"]
    optimizer.set_state_dict(restored)
    progress: dict[str, Any] = state["progress"]
    return progress
