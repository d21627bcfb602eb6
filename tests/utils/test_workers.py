from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.utils import workers as module
from paddlevideo.utils.signals import StoppedError, StopSignals
from paddlevideo.utils.threads import map_ahead
from paddlevideo.utils.workers import map_in_processes
from tests.conftest import children


def nothing(number: int) -> None:
    pass


def made(function: Callable[[Any], Any], items: Any, count: int = 2, begin: Callable[[int], None] = nothing) -> list:
    return list(map_in_processes(function, items, count, begin))


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() == before


@pytest.mark.parametrize("count", [1, 2, 3])
def test_answers_come_in_order_from_all_processes(count: int) -> None:
    def slow_if_even(number: int) -> tuple[int, int]:
        time.sleep(0.02 * (number % 2 == 0))
        return number * number, os.getpid()

    answers = made(slow_if_even, range(10), count)
    assert [square for square, _ in answers] == [number * number for number in range(10)]
    assert len({process for _, process in answers}) == count
    assert os.getpid() not in {process for _, process in answers}


@pytest.mark.parametrize("items", [0, 1])
def test_fewer_items_than_processes(items: int) -> None:
    assert made(str, range(items), 3) == ["0"][:items]


def test_arrays_of_any_size_come_back_and_can_be_changed() -> None:
    large = np.random.default_rng(0).integers(0, 255, (40, 300, 400), np.uint8)  # more than a socket holds

    def arrays(number: int) -> dict[str, Any]:
        return {
            "large": large + np.uint8(number),
            "turned": large[0].T,
            "every second": large[0, :, ::2],
            "none": np.zeros((0, 3), np.float32),
            "scalar": np.float64(number),
            "text": ["a", number],
        }

    for number, answer in enumerate(made(arrays, range(5))):
        np.testing.assert_array_equal(answer["large"], large + np.uint8(number))
        np.testing.assert_array_equal(answer["turned"], large[0].T)
        np.testing.assert_array_equal(answer["every second"], large[0, :, ::2])
        assert answer["none"].shape == (0, 3)
        assert answer["none"].dtype == np.float32
        assert (answer["scalar"], answer["text"]) == (number, ["a", number])
        answer["large"][0, 0, 0] += 1


def test_no_more_items_are_taken_than_the_processes_may_have() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    answers = map_in_processes(abs, items(), 2, nothing)
    assert [next(answers), next(answers)] == [0, 1]
    assert taken == [0, 1, 2, 3, 4, 5, 6]
    answers.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        (ValueError("a.mp4: damaged"), ValueError, r"^a\.mp4: damaged$"),
        (FileNotFoundError(2, "No such file", "a.mp4"), FileNotFoundError, r"No such file.*a\.mp4"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"), ValueError, "can't decode byte 0xff"),
        (ZeroDivisionError("by zero"), RuntimeError, "^ZeroDivisionError while reading data: by zero$"),
    ],
)
@pytest.mark.parametrize("count", [0, 2])
def test_errors_come_where_their_answer_would_have_come(
    error: Exception, expected: type[Exception], said: str, count: int
) -> None:
    def fail_at_three(number: int) -> int:
        if number == 3:
            raise error
        return number

    answers, got = map_in_processes(fail_at_three, range(6), count, nothing), []
    with pytest.raises(expected, match=said):
        for answer in answers:
            got.append(answer)
    assert got == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 2])
def test_an_error_of_the_items_is_raised_after_the_answers_before_it(count: int) -> None:
    def items() -> Iterator[int]:
        yield -1
        raise ValueError("no second")

    answers = map_in_processes(abs, items(), count, nothing)
    assert next(answers) == 1
    with pytest.raises(ValueError, match="no second"):
        next(answers)


def test_an_answer_that_cannot_be_sent_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"while reading data: .*pickle"):
        made(lambda number: lambda: number, range(3))


def test_signals_are_for_the_process_that_has_the_others() -> None:
    def interrupted(number: int) -> int:
        for one in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), one)
        return number

    assert made(interrupted, range(4)) == [0, 1, 2, 3]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_processes_that_cannot_be_started_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(module.os, "fork", refuse)
    with pytest.raises(OSError, match=r"cannot be started: .*temporarily unavailable; lower num_workers"):
        made(str, range(3))


def test_garbage_of_this_process_is_not_collected_in_the_others() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self
            self.answers = map_ahead(str, map_in_processes(abs, range(50), 2, nothing), 2)
            next(self.answers)

    gc.disable()
    Cycle()
    older = children()
    assert made(lambda number: (gc.collect(), number)[1], range(4)) == [0, 1, 2, 3]
    assert children() == older
    gc.enable()
    gc.collect()


LEFT = """
import sys
from paddlevideo.utils.signals import StopSignals
from paddlevideo.utils.signals import StoppedError, StopSignals
from paddlevideo.utils.threads import map_ahead
from paddlevideo.utils.workers import map_in_processes

with StopSignals():
    answers = map_ahead(str, map_in_processes(abs, range(100), 2, lambda number: None), 2)
    next(answers)
    if sys.argv[1] == "error":
        raise AssertionError("of somebody else")
"""


@pytest.mark.parametrize(("how", "code"), [("error", 1), ("end", 0)])
def test_a_program_ends_although_processes_are_left(how: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", LEFT, how], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    lines = [line for line in done.stderr.splitlines() if "ccache" not in line and "warnings.warn" not in line]
    assert lines[-1:] == (["AssertionError: of somebody else"] if code else []), done.stderr


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed by signal 9, Killed; if memory is short, lower num"),
        (lambda: os.kill(os.getpid(), signal.SIGRTMIN + 3), "was killed by signal 37, Real-time signal 3; a training"),
        (lambda: os._exit(3), "ended with exit code 3; a training goes on with --resume"),
    ],
)
def test_a_process_that_ends_is_told(end: Callable[[], None], said: str) -> None:
    def end_at_three(number: int) -> int:
        if number == 3:
            end()
        return number

    with pytest.raises(RuntimeError, match=f"a process that reads data {said}"):
        made(end_at_three, range(6))


def test_processes_that_end_between_two_items_are_told_after_what_they_have_answered() -> None:
    answers = map_in_processes(lambda number: (number, os.getpid()), range(9), 1, nothing)
    number, process = next(answers)
    assert number == 0
    time.sleep(0.3)  # while it answers the second
    os.kill(process, signal.SIGKILL)
    assert next(answers) == (1, process)
    with pytest.raises(RuntimeError, match="was killed by signal 9"):
        next(answers)


def test_a_process_that_does_not_begin_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 3.0)
    monkeypatch.setattr(module.logger, "propagate", True)
    came = tmp_path / "came"

    def stuck_once(number: int) -> None:
        if number == 1 and not came.exists():
            came.touch()
            time.sleep(60)

    assert made(str, range(5), 2, stuck_once) == ["0", "1", "2", "3", "4"]
    assert "did not begin; starting another one" in caplog.text


def test_processes_that_never_begin_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with pytest.raises(RuntimeError, match="did not begin, 3 times; num_workers=0 does without"):
        made(str, range(5), 2, lambda _: time.sleep(60))


def test_an_error_before_the_first_item_ends_it() -> None:
    def fail(number: int) -> None:
        raise OSError("not allowed")

    with pytest.raises(OSError, match=r"^not allowed$"):
        made(str, range(5), 1, fail)


def test_the_function_is_called_by_the_thread_that_began() -> None:
    places: dict[int, int] = {}

    def note(number: int) -> None:
        places[number] = threading.get_ident()

    assert all(made(lambda _: threading.get_ident() in places.values(), range(6), 2, note))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_wait_for_a_stopped_process(number: signal.Signals) -> None:
    before = children()

    def items() -> Iterator[int]:
        for item in range(1000):
            if item == 5:
                os.kill(next(iter(children() - before)), signal.SIGSTOP)
                threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
            yield item

    begin = time.monotonic()
    with StopSignals(), pytest.raises(StoppedError, match=number.name):
        made(abs, items())
    assert time.monotonic() - begin < 10
