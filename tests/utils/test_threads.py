from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from paddlevideo.utils.threads import Ahead, map_ahead, stop_on_signals


def test_items_come_in_order_and_then_the_error() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("no sixth")

    taken = []
    with pytest.raises(ValueError, match="no sixth"):
        for item in Ahead(items(), 2, threading.Event()):
            taken.append(item)
    assert taken == [0, 1, 2, 3, 4]


def test_no_more_items_are_made_than_may_wait() -> None:
    made: list[int] = []
    full = threading.Event()

    def items() -> Iterator[int]:
        for item in range(10):
            made.append(item)
            if item == 3:
                full.set()  # three wait and the fourth finds no place
            yield item

    ahead = Ahead(items(), 3, threading.Event())
    assert full.wait(5)
    assert not threading.Event().wait(0.2)
    assert made == [0, 1, 2, 3]
    assert list(ahead) == list(range(10))


def test_the_oldest_waiting_items_make_room_and_none_is_lost_silently() -> None:
    done = threading.Event()

    def items() -> Iterator[dict[str, list[int]]]:
        for item in range(10):
            yield {"own": [item], "before": []}
        done.set()

    def drop(oldest: dict[str, list[int]], following: dict[str, list[int]]) -> None:
        following["before"] = oldest["before"] + oldest["own"]

    ahead = Ahead(items(), 3, threading.Event(), drop)
    assert done.wait(5)
    taken = list(ahead)
    assert [item["own"] for item in taken] == [[7], [8], [9]]
    assert taken[0]["before"] == [0, 1, 2, 3, 4, 5, 6]


def test_stopping_ends_a_wait_for_an_item_that_never_comes() -> None:
    stop, never = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        never.wait()
        yield 1

    threading.Timer(0.1, stop.set).start()
    assert list(Ahead(items(), 1, stop)) == []
    never.set()


@pytest.mark.usefixtures("own_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_first_and_is_told_at_the_end(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(5)


WAITING = """
import os, signal, sys, threading
from paddlevideo.utils.threads import stop_on_signals

threading.Thread(target=threading.Event().wait, args=(60,)).start()  # for a frame of a stream that has stalled
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()  # while the interpreter waits for the thread
with stop_on_signals() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    print("asked", stop.is_set(), flush=True)
"""


def test_a_second_signal_ends_at_once_also_when_all_is_done() -> None:
    done = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "asked True\n"
    assert done.returncode == 130


def test_without_a_signal_nothing_is_raised() -> None:
    with stop_on_signals() as stop:
        stop.set()


def test_map_ahead_keeps_the_order_and_looks_only_so_far_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    results = map_ahead(lambda number: number * number, items(), threads=2)
    assert next(results) == 0
    assert taken == [0, 1, 2]
    assert list(results) == [number * number for number in range(1, 10)]


def test_map_ahead_works_while_the_caller_is_busy() -> None:
    begun = [threading.Event() for _ in range(3)]
    results = map_ahead(lambda number: begun[number].set(), range(3), threads=2)
    next(results)
    assert begun[2].wait(10)
    list(results)


@pytest.mark.parametrize("where", ["items", "function"])
def test_map_ahead_raises_what_went_wrong(where: str) -> None:
    def items() -> Iterator[int]:
        yield 1
        if where == "items":
            raise ValueError("broken")
        yield 0

    with pytest.raises(ValueError if where == "items" else ZeroDivisionError):
        list(map_ahead(lambda number: 1 // number, items(), threads=2))


def test_map_ahead_keeps_its_threads_and_leaves_them_nothing_to_do() -> None:
    def who(_: int) -> threading.Thread:
        return threading.current_thread()

    first = set(map_ahead(who, range(50), threads=2))
    assert all(thread.is_alive() for thread in first)
    done = []

    def slow(number: int) -> None:
        time.sleep(0.1)
        done.append(number)

    given_up = map_ahead(slow, range(50), threads=2)
    next(given_up)
    given_up.close()
    count = len(done)
    time.sleep(0.3)
    assert len(done) == count <= 4
    assert first & set(map_ahead(who, range(50), threads=2))


FORKED = """
import os
from paddlevideo.utils.threads import map_ahead
assert list(map_ahead(abs, range(9), 2)) == list(range(9))
child = os.fork()
if child == 0:
    os._exit(7 if list(map_ahead(abs, range(9), 2)) == list(range(9)) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_has_threads_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "7\n", done.stderr
