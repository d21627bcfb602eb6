from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.solver import build_optimizer
from paddlevideo.tasks.checkpoint import load_weights, save_weights
from paddlevideo.tasks.training_state import (
    Gradients,
    OptimizerState,
    RunProgress,
    Scaler,
    load_states,
    save_states,
    states_of,
)

RATE = {"name": "MultiStepDecay", "learning_rate": 0.1, "milestones": [1], "gamma": 0.5}
ADAM = {"name": "Adam", "weight_decay": 0.01, "learning_rate": RATE}


def network() -> nn.Layer:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1D(3), nn.Linear(3, 1))


def train(
    model: nn.Layer, optimizer: paddle.optimizer.Optimizer, numbers: range, gradients: Gradients | None = None
) -> None:
    """Steps that move the weights after every second batch."""
    for number in numbers:
        x = paddle.to_tensor(np.random.default_rng(number).random((4, 2), np.float32))
        loss = (model(x) ** 2).sum()
        if gradients is not None:
            gradients.put_back()
        loss.backward()
        if number % 2:
            optimizer.step()
            optimizer.clear_grad(set_to_zero=False)


def test_training_continues_within_a_group_as_if_never_stopped(tmp_path: Path) -> None:
    whole = network()
    optimizer = build_optimizer(ADAM, whole)
    train(whole, optimizer, range(3))
    optimizer._learning_rate.step()
    save_weights(whole, tmp_path / "w.pdparams")
    holders = {"optimizer": OptimizerState(whole, optimizer), "gradients": Gradients(whole)}
    save_states(states_of({**holders, "progress": RunProgress(epoch=1, best=0.5)}), tmp_path / "t.pdopt")
    train(whole, optimizer, range(3, 6))

    other, progress = network(), RunProgress()  # its parameters have other global names in Paddle
    resumed = build_optimizer(ADAM, other)
    load_weights(other, tmp_path / "w.pdparams")
    gradients = Gradients(other)
    holders = {"optimizer": OptimizerState(other, resumed), "gradients": gradients}
    load_states({**holders, "progress": progress}, tmp_path / "t.pdopt")
    assert progress == RunProgress(epoch=1, best=0.5)
    assert resumed.get_lr() == 0.05
    states = states_of({**holders, "progress": progress})  # stopped before the first batch
    save_states(states, tmp_path / "again.pdopt")
    assert (tmp_path / "again.pdopt").read_bytes() == (tmp_path / "t.pdopt").read_bytes()
    train(other, resumed, range(3, 6), gradients)
    for one, two in zip(whole.state_dict().values(), other.state_dict().values(), strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_states_of_another_model_are_named(tmp_path: Path) -> None:
    model, other = network(), nn.Sequential(nn.Linear(2, 3))
    optimizer = build_optimizer(ADAM, model)
    train(model, optimizer, range(2))
    save_states(states_of({"optimizer": OptimizerState(model, optimizer)}), tmp_path / "t.pdopt")
    with pytest.raises(ValueError, match=r"t\.pdopt: has a state for [12]\.\w+, which the model"):
        load_states({"optimizer": OptimizerState(other, build_optimizer(ADAM, other))}, tmp_path / "t.pdopt")
    train(model, optimizer, range(1))
    save_states(states_of({"gradients": Gradients(model)}), tmp_path / "g.pdopt")
    with pytest.raises(ValueError, match=r"g\.pdopt: has a gradient for 1\.\w+, which the model"):
        load_states({"gradients": Gradients(other)}, tmp_path / "g.pdopt")


def test_states_of_other_things_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.pdopt"
    save_states(states_of({"progress": RunProgress()}), path)
    with pytest.raises(
        ValueError, match=r"t\.pdopt: expected the states of progress, average, got progress; resume with"
    ):
        load_states({"progress": RunProgress(), "average": RunProgress()}, path)
    path.write_bytes(pickle.dumps({"progress": {"epoch": 1}}))
    with pytest.raises(ValueError, match=r"t\.pdopt: progress should have epoch, batch, .*, got epoch"):
        load_states({"progress": RunProgress()}, path)
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(ValueError, match="not a training state"):
        load_states({"progress": RunProgress()}, path)


@pytest.mark.parametrize("change", ["optimizer", "freeze"])
def test_a_state_that_lacks_something_is_told_at_the_first_step(change: str) -> None:
    model, other = network(), network()
    if change == "freeze":
        for parameter in model[2].parameters():
            parameter.stop_gradient = True
    optimizer = build_optimizer(ADAM, model)
    train(model, optimizer, range(2))
    resumed = build_optimizer(ADAM if change == "freeze" else {**ADAM, "name": "Momentum"}, other)
    holder = OptimizerState(other, resumed)
    holder.set_state_dict(OptimizerState(model, optimizer).state_dict())
    (other(paddle.ones([4, 2])) ** 2).sum().backward()
    what = r"2\.weight" if change == "freeze" else ".*velocity.*"
    with pytest.raises(ValueError, match=f"no state of this optimizer for {what}; resume with"):
        holder.step(paddle.amp.GradScaler(enable=False))


def test_a_state_without_its_parts_is_told_with_its_file(tmp_path: Path) -> None:
    model = network()
    save_states({"optimizer": {"schedule": {}}}, tmp_path / "t.pdopt")
    with pytest.raises(ValueError, match=r"t\.pdopt: the state of optimizer is not one that .* KeyError\('arrays'\)"):
        load_states({"optimizer": OptimizerState(model, build_optimizer(ADAM, model))}, tmp_path / "t.pdopt")


def test_gradients_fit_as_many_processes_as_made_them() -> None:
    gradients = Gradients(network())
    gradients.set_state_dict({"processes": [{}, {}]})  # none are waiting, so any number will do
    state = {"processes": [{"0.weight": np.zeros((2, 3))}, {}]}
    with pytest.raises(ValueError, match="has gradients of 2 processes within a group of batches, but 1 are running"):
        gradients.set_state_dict(state)


class Factor:
    """Stands for Paddle's scaler, which holds nothing on a CPU."""

    def __init__(self) -> None:
        self.scale = 65536.0

    def state_dict(self) -> dict[str, float]:
        return {"scale": self.scale}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.scale = state["scale"]


def test_the_scaler_goes_on_where_it_was() -> None:
    before, after = Factor(), Factor()
    before.scale = 1024.0
    holder = Scaler(after)  # type: ignore[arg-type]
    holder.set_state_dict({})  # of a run in float32
    assert after.scale == 65536.0
    holder.set_state_dict(Scaler(before).state_dict())  # type: ignore[arg-type]
    assert after.scale == 1024.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epoch": "x"}, "epoch should be an integer, got 'x'"),
        ({"iterations": -1}, "iterations should be an integer >= 0, got -1"),
        ({"totals": {"loss": None}}, r"totals\.loss should be a number, got null"),
        ({"journal": 1.5}, r"journal should be an integer, got 1\.5"),
    ],
)
def test_a_progress_that_no_run_has_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    progress = RunProgress(totals={"loss": np.float64(1)}, best=np.float64(2))
    save_states({"progress": {**progress.state_dict(), **change}}, tmp_path / "t.pdopt")
    with pytest.raises(ValueError, match=rf"t\.pdopt: progress: {said}"):
        load_states({"progress": RunProgress()}, tmp_path / "t.pdopt")
