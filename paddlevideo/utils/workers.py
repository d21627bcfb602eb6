"""A function called in processes that are forked from this one, and how its answers come back."""

from __future__ import annotations

import pickle
import signal
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from paddlevideo.utils.logging import logger
from paddlevideo.utils.threads import map_ahead

AHEAD = 3  # items that each process has: one is answered, one is worked on, and one waits
PATIENCE = 60.0  # seconds until a new process is taken for stuck
STARTS = 3  # attempts to start one
READY = b"\1"
RAISED = {error.__name__: error for error in (ValueError, FileNotFoundError, PermissionError, OSError)}


def map_in_processes(
    function: Callable[[Any], Any], items: Iterable[Any], count: int, begin: Callable[[int], None]
) -> Iterator[Any]:
    """What a function makes of each item, in order, made by processes while the caller is busy.

    They are killed when the iteration ends, whatever ends it, so the function should only read. A process that is
    forked while another thread holds a lock, such as one of a library's, may wait for it for ever; one that does not
    get through `begin` is taken for such a process, and another is forked.

    Args:
        function: its answers are pickled; their arrays are writable.
        items: small things, iterated by the caller's thread and pickled too.
        count: of the processes.
        begin: called first in each process, with its number, by the thread that will call the function; it should take
            the locks that the function will take.

    Raises:
        ValueError, FileNotFoundError, PermissionError, OSError: as the function raised it.
        RuntimeError: it raised anything else, whose kind is named, or a process has ended.
    """
    workers: list[_Worker] = []
    try:
        for number in range(count):
            workers.append(_started(function, begin, number, workers))
        busy: deque[_Worker] = deque()
        for item, worker in zip(items, cycle(workers)):
            worker.give(item)
            busy.append(worker)
            if len(busy) == AHEAD * count:
                yield busy.popleft().answer()
        for worker in workers:
            worker.give_no_more()
        while busy:
            yield busy.popleft().answer()
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that calls a function, seen from the one that forked it.

    Args:
        function: see `map_in_processes`.
        begin: likewise, with the number.
        others: channels of this process that the new one should not hold open.
    """

    def __init__(
        self, function: Callable[[Any], Any], begin: Callable[[], None], others: Sequence[socket.socket]
    ) -> None:
        self.channel, theirs = socket.socketpair()
        arguments = (theirs, [*others, self.channel], function, begin)
        self.process = get_context("fork").Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def is_ready(self) -> bool:
        """Whether the process has begun; waits for it."""
        self.channel.settimeout(PATIENCE)
        try:
            return self.channel.recv(1) == READY
        except TimeoutError:
            return False
        finally:
            self.channel.settimeout(None)

    def give(self, item: Any) -> None:
        """Let the process work on an item, after those that it has; `answer` tells if it has ended."""
        with suppress(OSError):
            _send(self.channel, item)

    def give_no_more(self) -> None:
        """Let the process answer all that it has, without waiting for another item."""
        with suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)

    def answer(self) -> Any:
        """What the function made of the process's oldest item; raises what it raised."""
        try:
            answer = _receive(self.channel)
        except (EOFError, ConnectionError) as error:
            raise RuntimeError(self._how_it_ended()) from error
        if isinstance(answer, _Failure):
            raise answer.error()
        return answer

    def end(self) -> None:
        """Kill the process."""
        self.channel.close()
        self.process.kill()
        self.process.join()

    def _how_it_ended(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return (
            f"a process that reads data {how}; if memory is short, lower num_workers or batch_size. In training, go on "
            "with --resume"
        )


def _started(
    function: Callable[[Any], Any], begin: Callable[[int], None], number: int, others: Sequence[_Worker]
) -> _Worker:
    for _ in range(STARTS):
        worker = _Worker(function, lambda: begin(number), [other.channel for other in others])
        if worker.is_ready():
            return worker
        worker.end()
        logger.warning("a process that reads data did not begin; starting another one")
    raise RuntimeError(
        f"a process that reads data did not begin, {STARTS} times; num_workers=0 does without, and shows what is wrong"
    )


class _Failure(NamedTuple):
    """An error that the function raised."""

    kind: str
    text: str

    def error(self) -> Exception:
        if self.kind in RAISED:
            return RAISED[self.kind](self.text)
        return RuntimeError(f"{self.kind} while reading data: {self.text}")


def _work(
    channel: socket.socket,
    others: Sequence[socket.socket],
    function: Callable[[Any], Any],
    begin: Callable[[], None],
) -> None:
    """All that a worker does: answers while the next answer is made."""
    for other in others:
        other.close()

    def items() -> Iterator[Any]:
        while True:
            yield _receive(channel)

    def answer(item: Any) -> Any:
        try:
            return function(item)
        except Exception as error:
            return _Failure(type(error).__name__, str(error))

    try:
        list(map_ahead(lambda begin: begin(), [begin], 1))  # in the thread that will call the function
        channel.sendall(READY)
        for one in map_ahead(answer, items(), 1):
            _send(channel, one)
    except (EOFError, ConnectionError, KeyboardInterrupt):
        return  # nobody wants to know


def _send(channel: socket.socket, value: Any) -> None:
    """A pickle and, beside it, its arrays: how many parts, how long each is, the parts."""
    arrays: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, 5, buffer_callback=arrays.append)
    parts = [memoryview(pickled), *(array.raw() for array in arrays)]
    lengths = [len(part) for part in parts]
    channel.sendall(struct.pack(f"<{1 + len(lengths)}Q", len(lengths), *lengths))
    for part in parts:
        channel.sendall(part)


def _receive(channel: socket.socket) -> Any:
    (count,) = struct.unpack("<Q", _take(channel, 8))
    lengths = struct.unpack(f"<{count}Q", _take(channel, 8 * count))
    pickled, *arrays = [_take(channel, length) for length in lengths]
    return pickle.loads(pickled, buffers=arrays)  # nosec B301 - of a process of our own


def _take(channel: socket.socket, length: int) -> memoryview:
    taken, done = np.empty(length, np.uint8).data, 0  # not a bytearray, which would be cleared first
    while done < length:
        received = channel.recv_into(taken[done:], 0, socket.MSG_WAITALL)
        if not received:
            raise EOFError
        done += received
    return taken
