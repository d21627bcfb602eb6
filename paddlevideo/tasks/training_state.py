"""What a resumed run needs besides the weights: named holders of state, and a file of what they hold."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeAlias

import numpy as np
import paddle
from msgspec import Meta
from paddle import nn

from paddlevideo.utils import processes
from paddlevideo.utils.safe_pickle import load_pickle
from paddlevideo.utils.typed import typed

States: TypeAlias = dict[str, dict[str, Any]]
Count: TypeAlias = Annotated[int, Meta(ge=0)]


class StateHolder(Protocol):
    """Something that changes in training."""

    def state_dict(self) -> dict[str, Any]:
        """What it holds: containers, text, numbers and numpy arrays."""

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the run that saved `state` was.

        Raises:
            ValueError: it does not fit.
        """


def states_of(holders: Mapping[str, StateHolder]) -> States:
    """What all holders hold, under their names."""
    return {name: holder.state_dict() for name, holder in holders.items()}


def save_states(states: States, path: Path) -> None:
    """Write what holders hold."""
    with path.open("wb") as file:
        pickle.dump(states, file)


def load_states(holders: Mapping[str, StateHolder], path: Path) -> None:
    """Read a file of `save_states` into the holders.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a training state, or that of another kind of run.
    """
    states = load_pickle(path)
    if not isinstance(states, dict) or not all(isinstance(state, dict) for state in states.values()):
        raise ValueError(f"{path}: not a training state written by this program")
    if set(states) != set(holders):
        raise ValueError(
            f"{path}: expected the states of {', '.join(holders)}, got {', '.join(map(str, states))}; resume with the "
            "settings and the version that wrote it, or start a new run from its weights with -w"
        )
    for name, holder in holders.items():
        try:
            holder.set_state_dict(states[name])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: the state of {name} is not one that this program wrote: {error!r}") from error


@dataclass
class RunProgress:
    """How far a run has come.

    Args:
        epoch: complete ones.
        batch: batches of the current epoch that are done.
        iterations: batches since training began.
        totals: sums over the batches of the current epoch of every part of the loss.
        best: the best number of the deciding metric.
        best_checkpoint: the checkpoint that has it.
        journal: bytes of `metrics.jsonl`.
    """

    epoch: Count = 0
    batch: Count = 0
    iterations: Count = 0
    totals: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    best_checkpoint: str | None = None
    journal: Count = 0

    def state_dict(self) -> dict[str, Any]:
        """All of it."""
        return dataclasses.asdict(self)

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """See `StateHolder`."""
        own = self.state_dict()
        if set(state) != set(own):
            raise ValueError(f"progress should have {', '.join(own)}, got {', '.join(map(str, state))}")
        typed(_without_numpy(state), RunProgress, "progress", "resume from another checkpoint")
        vars(self).update(state)


def _without_numpy(value: Any) -> Any:
    """Plain numbers in the place of those of numpy, which msgspec does not know."""
    if isinstance(value, dict):
        return {key: _without_numpy(item) for key, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


class OptimizerState:
    """An optimizer and its schedule.

    What belongs to a parameter is stored under the parameter's name in the model and not under Paddle's global
    counter, so that it fits a model built anew.

    Args:
        model: whose parameters the optimizer moves.
        optimizer: with its schedule.
    """

    def __init__(self, model: nn.Layer, optimizer: Any) -> None:
        self.model, self.optimizer = model, optimizer
        self._restored: set[str] | None = None  # parameters with a state, until the weights move

    def state_dict(self) -> dict[str, Any]:
        """`arrays` and the numbers of the `schedule`, if there is one."""
        names = {parameter.name: key for key, parameter in self.model.named_parameters()}
        longest_first = sorted(names, key=len, reverse=True)
        state = dict(self.optimizer.state_dict())
        schedule = state.pop("LR_Scheduler", {})
        arrays = {}
        for key, value in state.items():
            owner = next((name for name in longest_first if key.startswith(f"{name}_")), None)
            if owner is None:
                raise KeyError(f"optimizer state {key} belongs to no parameter")
            arrays[f"{names[owner]}::{key[len(owner) :]}"] = np.asarray(
                value
            )  # until its first step Paddle holds what it was given
        return {"arrays": arrays, "schedule": schedule}

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """See `StateHolder`."""
        names = {key: parameter.name for key, parameter in self.model.named_parameters()}
        restored: dict[str, Any] = {}
        for key, value in state["arrays"].items():
            owner, _, suffix = key.partition("::")
            if owner not in names:
                raise ValueError(f"has a state for {owner}, which the model of the config does not have")
            restored[names[owner] + suffix] = value
        if state["schedule"]:
            restored["LR_Scheduler"] = state["schedule"]
        self.optimizer.set_state_dict(restored)
        if state["arrays"]:  # there are none before the weights first move
            self._restored = {key.partition("::")[0] for key in state["arrays"]}

    def step(self, scaler: paddle.amp.GradScaler) -> None:
        """Move the weights.

        Raises:
            ValueError: the run that saved the state had another optimizer, or did not train a parameter that is now.
        """
        restored, self._restored = self._restored, None
        if restored is None:
            scaler.step(self.optimizer)
            return
        moving = (name for name, p in self.model.named_parameters() if p.grad is not None and not p.stop_gradient)
        try:
            if (lacking := next((name for name in moving if name not in restored), None)) is None:
                scaler.step(self.optimizer)
                return
        except AssertionError as error:  # Paddle misses a number of another optimizer only now
            lacking = str(error)
        raise ValueError(
            f"the checkpoint has no state of this optimizer for {lacking}; resume with the optimizer and freeze of the "
            "run that wrote it, or start a new run from its weights with -w"
        )


class Gradients:
    """Gradients of batches that have not moved the weights yet, within a group of accumulated ones.

    Each of several processes has its own until the weights move.
    """

    def __init__(self, model: nn.Layer) -> None:
        self.model = model
        self.waiting: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """Of all `processes` arrays by the names of the parameters; none after the weights have moved."""
        own = {name: p.grad.numpy() for name, p in self.model.named_parameters() if p.grad is not None}
        return {"processes": processes.gather({**self.waiting, **own})}

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """See `StateHolder`; they wait for `put_back`."""
        parts = state["processes"]
        if any(parts) and len(parts) != processes.count():
            raise ValueError(
                f"has gradients of {len(parts)} processes within a group of batches, but {processes.count()} are "
                "running; launch as many as before, or resume from a checkpoint at the end of an epoch"
            )
        own = parts[processes.rank()] if any(parts) else {}
        if unknown := set(own) - {name for name, _ in self.model.named_parameters()}:
            raise ValueError(f"has a gradient for {min(unknown)}, which the model of the config does not have")
        self.waiting = dict(own)

    def put_back(self) -> None:
        """Give the parameters the gradients that were set.

        To be called between forward and backward, as the first forward of a static graph takes gradients away.
        """
        for name, parameter in self.model.named_parameters() if self.waiting else ():
            if name in self.waiting:
                parameter.grad = paddle.to_tensor(self.waiting.pop(name))


class Scaler:
    """The factor that keeps gradients in the range of half precision; nothing in float32."""

    def __init__(self, scaler: paddle.amp.GradScaler) -> None:
        self.scaler = scaler

    def state_dict(self) -> dict[str, Any]:
        """Paddle's, empty in float32."""
        return dict(self.scaler.state_dict())

    def set_state_dict(self, state: Any) -> None:
        """See `StateHolder`; a factor that was not needed before starts where a new one does."""
        if state:
            self.scaler.load_state_dict(state)
