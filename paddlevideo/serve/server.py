"""Runs the application: listening, time limits, bounded messages, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from paddlevideo.serve.app import CONNECTIONS
from paddlevideo.serve.guard import is_loopback
from paddlevideo.utils.logging import logger

HEADER_SECONDS = 10.0  # that a header may take, from the connection or the response before it
SHUTDOWN = 2.0  # seconds that requests have to end, and then once more to be cancelled
REPEATS = 5  # messages of one kind that are written in a period
PERIOD = 60.0  # seconds


def serve(app: web.Application, host: str, port: int) -> None:
    """Run an application until SIGINT or SIGTERM; warns of an address that others can reach.

    Raises:
        OSError: the address or port cannot be had.
    """
    if not is_loopback(host):
        logger.warning(
            "%s is open to others: whoever reaches it can use it, and nothing is encrypted; browsers lend their camera "
            "to localhost and https only",
            host,
        )
    with few_repeats():
        asyncio.run(_run(app, host, port))


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """A context in which an application is served, within the bounds of its connections.

    Yields:
        The port, which the system chooses if `port` is 0.

    Raises:
        OSError: the address or port cannot be had.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=HEADER_SECONDS,
        logger=logger,
        shutdown_timeout=SHUTDOWN,
    )
    await runner.setup()
    try:
        assert runner.server is not None
        connections = app[CONNECTIONS]
        factory, backlog = connections.bounded(runner.server), max(1, connections.limit // 2)
        try:
            server = await asyncio.get_running_loop().create_server(factory, host, port, backlog=backlog)
        except OSError as error:
            raise OSError(f"{host}:{port}: {error.strerror or error}; choose another --host or --port") from error
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def _run(app: web.Application, host: str, port: int) -> None:
    """Serve until a signal asks to end; the next one has its usual effect."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def ask() -> None:
        asked.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    async with listening(app, host, port) as bound:
        logger.info(
            "open http://%s:%d in a browser; Ctrl-C ends the server", f"[{host}]" if ":" in host else host, bound
        )
        await asked.wait()
        logger.info("ending")


class RepeatFilter(logging.Filter):
    """Lets through a few messages from one line of code in a period, so that nobody fills a disk with them.

    The first that passes afterwards says how many did not. A request that is not HTTP is the fault of its sender: a
    line says so, without a traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[tuple[str, int], tuple[float, int]] = {}  # start of the period, messages in it

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a message is written; it may be changed."""
        now, place = time.monotonic(), (record.pathname, record.lineno)
        start, count = self._counts.get(place, (now, 0))
        if now - start >= PERIOD:
            if count > REPEATS:
                record.msg, record.args = f"{record.getMessage()} ({count - REPEATS} more were not written)", ()
            start, count = now, 0
        self._counts[place] = start, count + 1
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            reason, _, _ = record.exc_info[1].message.partition("\n")
            record.msg, record.args = f"{record.getMessage()}: {reason}", ()
            record.exc_info = None
        return count < REPEATS


@contextmanager
def few_repeats() -> Iterator[None]:
    """A context in which messages of this program and of its event loop do not repeat without end."""
    repeats, loggers = RepeatFilter(), (logger, logging.getLogger("asyncio"))
    for one in loggers:
        one.addFilter(repeats)
    try:
        yield
    finally:
        for one in loggers:
            one.removeFilter(repeats)
