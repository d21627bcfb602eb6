from __future__ import annotations

import math
from typing import Any

import paddle
import pytest

from paddlevideo.registry import SCHEDULES
from paddlevideo.solver import LinearWarmup, build_optimizer

EPOCHS = {"name": "MultiStepDecay", "learning_rate": 1.0, "milestones": [1, 2], "gamma": 0.5}


def warmup() -> LinearWarmup:
    node = {"name": "LinearWarmup", "then": EPOCHS, "iterations": 4, "factor": 0.2}
    schedule: LinearWarmup = SCHEDULES.build(node)
    return schedule


def rates(schedule: LinearWarmup, first: int, count: int) -> list[float]:
    found = []
    for iteration in range(first, first + count):
        schedule.start_iteration(iteration)
        found.append(schedule())
    return found


def test_rate_rises_in_a_line_and_then_follows_the_epochs() -> None:
    schedule = warmup()
    assert rates(schedule, 0, 3) == pytest.approx([0.2, 0.4, 0.6])
    schedule.step()  # one epoch of three batches
    assert rates(schedule, 3, 3) == pytest.approx([0.4, 0.5, 0.5])
    schedule.step()
    assert rates(schedule, 6, 1) == pytest.approx([0.25])


def test_a_resumed_schedule_goes_on_where_it_stopped() -> None:
    schedule = warmup()
    schedule.step()
    resumed = warmup()
    resumed.set_state_dict(schedule.state_dict())
    for one in (schedule, resumed):
        one.step()
    assert rates(resumed, 9, 1) == rates(schedule, 9, 1) == pytest.approx([0.25])


def test_optimizer_reads_the_rate_of_the_batch() -> None:
    layer = paddle.nn.Linear(1, 1)
    node = {"name": "LinearWarmup", "then": EPOCHS, "iterations": 4, "factor": 0.2}
    optimizer = build_optimizer({"name": "AdamW", "learning_rate": node}, layer)
    optimizer._learning_rate.start_iteration(2)
    assert optimizer.get_lr() == pytest.approx(0.6)


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"iterations": 4, "factor": 1.5}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"iterations from 1 and a factor in 0\.\.1"):
        SCHEDULES.build({"name": "LinearWarmup", "then": EPOCHS, **wrong})


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf, {**EPOCHS, "learning_rate": math.nan}])
def test_a_rate_that_is_no_rate_is_refused(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"OPTIMIZER\.learning_rate should be a finite number from 0"):
        build_optimizer({"name": "Adam", "learning_rate": rate}, paddle.nn.Linear(1, 1))


@pytest.mark.parametrize(("name", "key"), [("Adam", "weight_decay"), ("Momentum", "momentum"), ("AdamW", "epsilon")])
@pytest.mark.parametrize("value", [-0.1, math.nan])
def test_numbers_of_an_optimizer_that_are_none_are_refused(name: str, key: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"OPTIMIZER\.{key} should be a finite number from 0, got {value}"):
        build_optimizer({"name": name, "learning_rate": 0.1, key: value}, paddle.nn.Linear(1, 1))


def test_half_a_cosine_has_a_length() -> None:
    with pytest.raises(ValueError, match="T_max should be at least 1, got 0"):
        SCHEDULES.build({"name": "CosineAnnealingDecay", "learning_rate": 1.0, "T_max": 0})


def test_a_schedule_counts_batches_where_it_is_asked_to() -> None:
    node = {"name": "PerIteration", "then": EPOCHS}
    schedule = SCHEDULES.build(node)
    assert rates(schedule, 0, 3) == [1.0, 0.5, 0.25]
    schedule.step()  # an epoch
    assert rates(schedule, 3, 1) == [0.25]
    resumed = SCHEDULES.build({"name": "LinearWarmup", "iterations": 2, "then": node})
    assert rates(resumed, 0, 4) == [0.0, 0.25, 0.25, 0.25]
    again = SCHEDULES.build({"name": "LinearWarmup", "iterations": 2, "then": node})
    again.set_state_dict(resumed.state_dict())
    assert rates(again, 4, 1) == rates(resumed, 4, 1) == [0.25]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"name": "MultiStepDecay", "gamma": -0.5},
            r"MultiStepDecay: gamma should be a finite number from 0, got -0\.5",
        ),
        ({"name": "MultiStepDecay", "milestones": [3, 1]}, r"MultiStepDecay: milestones should rise, got \[3, 1\]"),
        ({"name": "MultiStepDecay", "learning_rate": -1}, r"OPTIMIZER\.learning_rate should be a finite number"),
        ({"name": "CosineAnnealingDecay", "eta_min": -0.01}, "CosineAnnealingDecay: eta_min should be a finite number"),
    ],
)
def test_a_schedule_never_turns_training_around(change: dict[str, Any], said: str) -> None:
    own = EPOCHS if change["name"] == "MultiStepDecay" else {"learning_rate": 0.1, "T_max": 2}
    with pytest.raises(ValueError, match=said):
        SCHEDULES.build({**own, **change})


def test_what_paddle_refuses_is_placed() -> None:
    with pytest.raises(ValueError, match=r"OPTIMIZER Adam: .*beta1"):
        build_optimizer({"name": "Adam", "learning_rate": 0.1, "beta1": 1.5}, paddle.nn.Linear(1, 1))


def test_a_rate_that_is_an_integer_is_a_rate() -> None:
    optimizer = build_optimizer({"name": "Adam", "learning_rate": 1}, paddle.nn.Linear(2, 2))
    assert optimizer.get_lr() == 1.0
