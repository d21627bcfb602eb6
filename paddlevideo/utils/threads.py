"""Work that overlaps: an iterable consumed ahead of time by a thread, and signals that ask for an orderly end."""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_LOOK_SECONDS = 0.1  # between looks at the stop event while nothing happens


def map_ahead(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """What a function makes of each item, in order, made by threads while the caller is busy.

    Items are taken by the caller's thread. Of the results, one more than there are threads wait or are in the making.
    An error of the iterable is raised where its item's result would have come. When the iteration ends, early or not,
    no thread is at work for it. The function may not call this with as many threads: they are the same.
    """
    pool, results = _lasting_threads(threads), deque[Future[R]]()
    remaining = iter(items)
    try:
        while True:
            try:
                item = next(remaining)
            except Exception as error:
                end = error
                break
            results.append(pool.submit(function, item))
            if len(results) > threads:
                yield results.popleft().result()
        while results:
            yield results.popleft().result()
    finally:
        wait(results)
    if not isinstance(end, StopIteration):
        raise end


@functools.cache
def _lasting_threads(count: int) -> ThreadPoolExecutor:
    """Threads that never end.

    One that has used OpenCV takes a lock of it when it ends, after it has been waited for, and a process that is forked
    at this moment, such as one that reads data, waits for that lock for ever.
    """
    return ThreadPoolExecutor(count)


os.register_at_fork(after_in_child=_lasting_threads.cache_clear)  # the new process has none of the threads


class Ahead(Generic[T]):
    """The items of an iterable, made by a thread of their own while the caller is busy.

    An error of the iterable is raised where its item would have come. The thread ends with the iterable, or with the
    item that it is making when `stop` is set; a program does not end before it.

    Args:
        items: what is iterated, once.
        limit: items that may wait for the caller.
        stop: ends the iteration when it is set; what waits is given up.
        drop: makes room for new items instead of letting the thread wait: the oldest waiting item is taken out, and
            this is called with it and the one that follows it.
    """

    def __init__(
        self, items: Iterable[T], limit: int, stop: threading.Event, drop: Callable[[T, T], None] | None = None
    ) -> None:
        self._limit, self._stop, self._drop = limit, stop, drop
        self._waiting: deque[T] = deque()
        self._end: Exception | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._fill, args=(items,)).start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            self._wait_until(lambda: bool(self._waiting) or self._end is not None)
            if self._stop.is_set():
                raise StopIteration
            if not self._waiting:
                assert self._end is not None
                raise self._end
            item = self._waiting.popleft()
            self._changed.notify_all()
            return item

    def _fill(self, items: Iterable[T]) -> None:
        end: Exception = StopIteration()
        try:
            for item in items:
                self._put(item)
                if self._stop.is_set():
                    break
        except Exception as error:
            end = error
        with self._changed:
            self._end = end
            self._changed.notify_all()

    def _put(self, item: T) -> None:
        with self._changed:
            if self._drop is None:
                self._wait_until(lambda: len(self._waiting) < self._limit)
            self._waiting.append(item)
            if len(self._waiting) > self._limit and self._drop is not None:
                self._drop(self._waiting.popleft(), self._waiting[0])
            self._changed.notify_all()

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        while not ready() and not self._stop.is_set():
            self._changed.wait(_LOOK_SECONDS)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT (Ctrl-C) and SIGTERM set, so that work can end in order; a second one ends it at once.

    After a first one, that is still so when the context has ended: threads may go on for as long as they wait for data,
    and the interpreter cannot be interrupted while it waits for them.

    Raises:
        KeyboardInterrupt: when the context ends, if one of them came.
    """
    stop, came = threading.Event(), False

    def request(*_: Any) -> None:
        nonlocal came
        came = True
        stop.set()
        for number in before:
            signal.signal(number, lambda number, _: os._exit(128 + number))

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        if not came:
            for number, handler in before.items():
                signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt
