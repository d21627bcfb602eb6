"""Signals that ask a program to end: noted, so that it can end in good order."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from paddlevideo.utils import processes

REPEATS = 2.0  # seconds in which a launcher of several processes sends the same signal again
HANGUP = getattr(signal, "SIGHUP", None)  # when a terminal is closed; Windows has none
ASKING = tuple(number for number in (signal.SIGTERM, signal.SIGINT, HANGUP) if number is not None)


class StoppedError(Exception):
    """A signal asked the program to end, and what it had to save is saved."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.code = 128 + number  # what a shell says of a program that a signal has ended


class StopSignals:
    """Within this context the first SIGTERM, SIGINT or SIGHUP is noted only; the second ends the process at once.

    SIGHUP stays ignored where it is, as under `nohup`.
    Outside of the main thread, where Python sets no handlers, it does nothing. One of several processes ends when any
    of them is asked to, and forgives the launcher that it asks three times at once, within this context and after it.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._asked_at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in ASKING:
                if number != HANGUP or signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
            _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self in _active:
            _active.remove(self)
        if self.number is not None and processes.count() > 1:
            return  # the launcher may ask again while this process says why it ends
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise `StoppedError` if a signal has come, to this process or another one; all of them call it together."""
        for number in processes.gather(self.number):
            if number is not None:
                raise StoppedError(number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            if time.monotonic() - self._asked_at > REPEATS:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        self.number, self._asked_at = number, time.monotonic()
        if processes.count() == 1:
            for one in self._before:
                signal.signal(one, signal.SIG_DFL)
        said = b"\nsaving, then stopping; a second signal stops at once and saves nothing\n"
        with suppress(OSError):  # the terminal may be closed
            os.write(2, said)  # not through a logger, which may be in the middle of a line


_active: list[StopSignals] = []


def check_while_waiting() -> None:
    """Raise `StoppedError` if a `StopSignals` has noted a signal; for waits that may not end.

    With several processes it does nothing: they stop together, where all of them call `StopSignals.check`.
    """
    for signals in _active:
        if signals.number is not None and processes.count() == 1:
            raise StoppedError(signals.number)
