"""A function called in processes that are forked from this one, and how its answers come back."""

from __future__ import annotations

import gc
import math
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple, NoReturn

import numpy as np

from paddlevideo.utils.logging import logger
from paddlevideo.utils.signals import ASKING, check_while_waiting
from paddlevideo.utils.threads import map_ahead

AHEAD = 3  # items that each process has: one is answered, one is worked on, and one waits
PATIENCE = 60.0  # seconds until a new process is taken for stuck
LOOK = 0.2  # seconds between looks for a signal while an answer is waited for
LAST_WAIT = 2.0  # seconds for a killed process to end; one that waits for a network disk may not
STARTS = 3  # attempts to start one
KINDS = (FileNotFoundError, PermissionError, OSError, ValueError)  # of errors that are told as they are
_forking = threading.Lock()  # else a process of another thread holds this one's socket open, and its end goes unnoticed


def map_in_processes(
    function: Callable[[Any], Any], items: Iterable[Any], count: int, begin: Callable[[int], None]
) -> Iterator[Any]:
    """What a function makes of each item, in order, made by processes while the caller is busy.

    They are killed when the iteration ends, whatever ends it, so the function should only read; and they do not get
    SIGINT and SIGTERM, which are for the process that has them. A process that is forked while another thread holds a
    lock, such as one of a library's, may wait for it for ever; one that does not get through `begin` is taken for such
    a process, and another is forked.

    Args:
        function: its answers are pickled; their arrays are writable.
        items: iterated by the caller's thread and pickled too; of at most 10 kB, as three wait in a socket.
        count: of the processes; with 0 a thread of this process calls the function.
        begin: called first in each process, with its number, by the thread that will call the function; it should take
            the locks that the function will take.

    Raises:
        ValueError, FileNotFoundError, PermissionError, OSError: as the function raised it, or no process could be
            started.
        RuntimeError: the function raised anything else, whose kind is named, or a process has ended.
        StoppedError: a signal was noted while an answer was waited for, see `StopSignals`.
    """
    if count:
        yield from _map_in_processes(function, items, count, begin)
        return

    def called(item: Any) -> Any:
        try:
            return function(item)
        except Exception as error:
            raise _told(error) from error

    yield from map_ahead(called, items, 1)


def _map_in_processes(
    function: Callable[[Any], Any], items: Iterable[Any], count: int, begin: Callable[[int], None]
) -> Iterator[Any]:
    workers: list[_Worker] = []
    try:
        for number in range(count):
            workers.append(_started(function, begin, number, workers))
        busy, remaining = deque[_Worker](), iter(items)
        for worker in cycle(workers):
            try:
                item = next(remaining)
            except Exception as error:
                end = error
                break
            worker.give(item)
            busy.append(worker)
            if len(busy) == AHEAD * count:
                yield busy.popleft().answer()
        for worker in workers:
            worker.give_no_more()
        while busy:
            yield busy.popleft().answer()
        if not isinstance(end, StopIteration):
            raise end
    finally:
        for worker in workers:
            worker.end()


def _started(
    function: Callable[[Any], Any], begin: Callable[[int], None], number: int, others: Sequence[_Worker]
) -> _Worker:
    for _ in range(STARTS):
        worker = _Worker(function, begin, number, others)
        try:
            worker.answer(PATIENCE)
            return worker
        except TimeoutError:
            worker.end()
            logger.warning("a process that reads data did not begin; starting another one")
        except BaseException:
            worker.end()
            raise
    raise RuntimeError(f"a process that reads data did not begin, {STARTS} times; num_workers=0 does without")


class _Worker:
    """A process that calls a function, seen from the one that forked it; it answers first that it has begun.

    Args:
        function: see `map_in_processes`.
        begin: likewise.
        number: of the process.
        others: those that were started before.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, function: Callable[[Any], Any], begin: Callable[[int], None], number: int, others: Sequence[_Worker]
    ) -> None:
        self._code: int | None = None
        sys.stdout.flush()  # or what waits there is written by both
        try:
            with _forking, ExitStack() as opened:
                self.channel, theirs = map(opened.enter_context, socket.socketpair())
                blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
                try:
                    self.pid = os.fork()
                    if self.pid == 0:
                        _work(theirs, [*(other.channel for other in others), self.channel], function, begin, number)
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
                opened.pop_all()
                theirs.close()
                look = struct.pack("@ll", 0, int(LOOK * 1e6))
                self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, look)
        except OSError as error:
            raise OSError(f"a process that reads data cannot be started: {error}; lower num_workers") from error

    def give(self, item: Any) -> None:
        """Let the process work on an item, after those that it has; `answer` tells if it has ended."""
        with suppress(OSError):
            _send(self.channel, _packed(item))

    def give_no_more(self) -> None:
        """Let the process answer all that it has, without waiting for another item."""
        with suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)

    def answer(self, patience: float = math.inf) -> Any:
        """What the function made of the process's oldest item; raises what it raised.

        Args:
            patience: seconds without data until a TimeoutError.
        """
        deadline = time.monotonic() + patience

        def wait_on() -> None:
            check_while_waiting()
            if time.monotonic() > deadline:
                raise TimeoutError

        try:
            answer = _receive(self.channel, wait_on)
        except (EOFError, ConnectionError) as error:
            raise RuntimeError(self._how_it_ended()) from error
        if isinstance(answer, _Raised):
            raise answer.error
        return answer

    def end(self) -> None:
        """Kill the process."""
        self.channel.close()
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            deadline = time.monotonic() + LAST_WAIT
            while not self._has_ended() and time.monotonic() < deadline:
                time.sleep(0.005)

    def _has_ended(self, options: int = os.WNOHANG) -> bool:
        """Whether the process has an exit code; with `options` of 0, waits until it has."""
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, options)
                self._code = os.waitstatus_to_exitcode(status) if pid else None
            except ChildProcessError:  # the system was asked to forget it
                self._code = 0
        return self._code is not None

    def _how_it_ended(self) -> str:
        self._has_ended(0)
        code = self._code or 0
        how = f"was killed by signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"ended with exit code {code}"
        advice = "if memory is short, lower num_workers or batch_size; " if -code == signal.SIGKILL else ""
        return f"a process that reads data {how}; {advice}a training goes on with --resume"


class _Raised(NamedTuple):
    """An answer that is an error."""

    error: Exception


def _told(error: Exception) -> Exception:
    """What the caller is to know of an error: its text, and its kind."""
    for kind in KINDS:
        if isinstance(error, kind):
            return kind(str(error))
    return RuntimeError(f"{type(error).__name__} while reading data: {error}")


def _work(
    channel: socket.socket,
    others: Sequence[socket.socket],
    function: Callable[[Any], Any],
    begin: Callable[[int], None],
    number: int,
) -> NoReturn:
    """All that a process does: it answers while the next answer is made, and ends when nobody listens."""

    def items() -> Iterator[Any]:
        while True:
            yield _receive(channel)

    code = 1
    try:
        gc.freeze()  # garbage of the other process is not to be closed here too
        _forking.release()
        for other in others:
            other.close()
        for call, arguments in ((begin, [number]), (function, items())):
            for parts in map_ahead(partial(_packed_answer, call), arguments, 1):
                _send(channel, parts)
    except (EOFError, ConnectionError):
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
        finally:
            os._exit(code)


def _packed_answer(function: Callable[[Any], Any], item: Any) -> list[memoryview]:
    try:
        return _packed(function(item))
    except Exception as error:
        return _packed(_Raised(_told(error)))


def _packed(value: Any) -> list[memoryview]:
    """A pickle and, beside it, its arrays."""
    arrays: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, 5, buffer_callback=arrays.append)
    return [memoryview(pickled), *(array.raw() for array in arrays)]


def _send(channel: socket.socket, parts: Sequence[memoryview]) -> None:
    """How many parts there are, how long each is, the parts."""
    channel.sendall(struct.pack(f"<{1 + len(parts)}Q", len(parts), *map(len, parts)))
    for part in parts:
        channel.sendall(part)


def _receive(channel: socket.socket, wait_on: Callable[[], None] | None = None) -> Any:
    """A value that `_send` has sent; `wait_on` is called every `LOOK` seconds without data, and may raise."""
    take = partial(_take, channel, wait_on)
    (count,) = struct.unpack("<Q", take(8))
    lengths = struct.unpack(f"<{count}Q", take(8 * count))
    pickled, *arrays = [take(length) for length in lengths]
    return pickle.loads(pickled, buffers=arrays)  # nosec B301 - of a process of our own


def _take(channel: socket.socket, wait_on: Callable[[], None] | None, length: int) -> memoryview:
    taken, done = np.empty(length, np.uint8).data, 0  # not a bytearray, which would be cleared first
    while done < length:
        try:
            received = channel.recv_into(taken[done:], 0, socket.MSG_WAITALL)
        except BlockingIOError:  # only of a socket with a time limit
            if wait_on is not None:
                wait_on()
            continue
        if not received:
            raise EOFError
        done += received
    return taken
