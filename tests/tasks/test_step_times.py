from __future__ import annotations

import re

import pytest

from paddlevideo.tasks import step_times
from paddlevideo.tasks.step_times import StepTimes


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(step_times.time, "perf_counter", clock)
    return clock


def run(clock: Clock, loader: float, forward: float, rest: float) -> str:
    """The table after five steps, the first two of which last ten seconds more."""

    def batches() -> object:
        for _ in range(5):
            clock.now += loader
            yield "batch"

    times = StepTimes(True, workers=3)
    for number, _ in enumerate(times.each(batches())):  # type: ignore[arg-type]
        with times.part("forward"):
            clock.now += forward + (10 if number < 2 else 0)
        clock.now += rest
    return times.table()


def test_parts_and_rest_make_the_whole_step(clock: Clock) -> None:
    lines = run(clock, 0.01, 0.08, 0.01).splitlines()
    assert lines[0] == "a step of training takes 100.0 ms (mean of 3)"
    rows = [re.fullmatch(r"  (\w+) +([\d.]+) ms +([\d.]+)%", line) for line in lines[1:4]]
    assert [row and row.groups() for row in rows] == [
        ("loader", "10.0", "10.0"), ("forward", "80.0", "80.0"), ("rest", "10.0", "10.0")
    ]  # fmt: skip
    assert "the network itself takes the time" in lines[4]


@pytest.mark.parametrize(
    ("loader", "rest", "said"), [(0.05, 0.0, "raise num_workers (now 3, "), (0.01, 0.05, "raise log_interval")]
)
def test_the_advice_follows_from_what_waits(clock: Clock, loader: float, rest: float, said: str) -> None:
    assert said in run(clock, loader, 0.05, rest).splitlines()[-1]


def test_nothing_is_measured_unless_it_is_asked_for(clock: Clock) -> None:
    times = StepTimes(False, 0)
    with times.part("forward"):
        assert list(times.each([1, 2])) == [1, 2]
    assert times.table() == ""
