"""What a run tells: lines on the terminal and in a file, and a progress line that redraws itself."""

from __future__ import annotations

import io
import logging
import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from paddlevideo.utils import processes

logger = logging.getLogger("paddlevideo")


def start_logging(file: Path | None = None) -> None:
    """Send messages to the terminal, and to `file` as well if given; of several processes only the first one tells."""
    logger.setLevel(logging.INFO if processes.is_first() else logging.ERROR)
    logger.propagate = False
    protect_terminal()
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if file is not None and processes.is_first():
        handlers.append(logging.FileHandler(file, encoding="utf-8", errors="backslashreplace"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)


class _LastingStream(io.RawIOBase):
    """Standard output or error as a file that takes all text, also when the text can no longer be written.

    Args:
        number: the file descriptor, 1 or 2.
        failure: why nothing can be written, if that is known from the beginning.
    """

    def __init__(self, number: int, failure: str | None) -> None:
        self.number, self.failure = number, failure

    def fileno(self) -> int:
        return self.number

    def isatty(self) -> bool:
        return self.failure is None and os.isatty(self.number)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        while self.failure is None:
            try:
                return os.write(self.number, data)
            except BlockingIOError:
                select.select([], [self.number], [])
            except OSError as error:
                self.failure = error.strerror or str(error)
                if self.number == 1:
                    _note_lost_output(self.failure)
        return len(data)


def _note_lost_output(failure: str) -> None:
    with suppress(OSError):
        os.write(2, f"note: standard output cannot be written ({failure}); going on without it\n".encode())


def protect_terminal() -> None:
    """Let no write to standard output or error fail.

    Names that the encoding does not have are escaped. A reader that has ended, a full disk and a stream that was closed
    before the program began lose the text, not the work; one note on standard error tells of it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes this number, else the next file that is opened would take it
        stream = getattr(sys, name)
        if number and (stream is None or (stream is getattr(sys, f"__{name}__") and hasattr(stream, "buffer"))):
            setattr(sys, name, _lasting(number, stream))
        elif number and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _lasting(number: int, stream: io.TextIOWrapper | None) -> io.TextIOWrapper:
    """A stream in place of the one that Python has opened, None if it was closed."""
    raw = _LastingStream(number, "it was closed" if stream is None else None)
    if stream is None:
        encoding, line_buffering = "utf-8", False
    else:
        encoding, line_buffering = stream.encoding, stream.line_buffering
        with suppress(OSError):
            stream.flush()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=line_buffering)


def check_output() -> None:
    """For commands whose result is what they print.

    Raises:
        OSError: some of it could not be written.
    """
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _LastingStream) and raw.failure is not None:
        raise OSError(f"standard output: {raw.failure}, so what this command prints is not complete")


class Progress:
    """Counts steps of a job: a bar on a terminal, a plain line every `interval` steps elsewhere.

    Args:
        title: of the job.
        total: how many steps there are, None if nobody knows.
        interval: steps between plain lines.
    """

    def __init__(self, title: str, total: int | None, interval: int) -> None:
        self.title, self.total, self.interval = title, total, interval
        self.done, self.items = 0, 0
        self.start = time.monotonic()
        self.is_terminal = sys.stdout.isatty()

    def step(self, items: int, facts: dict[str, float] | None = None) -> None:
        """Another step is done, which dealt with `items` instances; `facts` are numbers to show."""
        self.done += 1
        self.items += items
        text = self._text(facts or {})
        is_last = self.done == self.total
        if self.is_terminal:
            filled = 20 * self.done // self.total if self.total else 0
            bar = f" [{'#' * filled}{'.' * (20 - filled)}]" if self.total else ""
            sys.stdout.write(f"\r\x1b[K{self.title}{bar} {text}")
            sys.stdout.flush()
        elif self.done % self.interval == 0 or is_last:
            logger.info("%s %s", self.title, text)

    def close(self) -> None:
        """Leave the bar's line."""
        if self.is_terminal:
            sys.stdout.write("\n")

    def _text(self, facts: dict[str, float]) -> str:
        seconds = max(time.monotonic() - self.start, 1e-9)
        shown = "".join(f" {name} {value:.4g}" for name, value in facts.items())
        rate = f"{shown} {self.items / seconds:.1f} instances/s"
        if self.total is None:
            return f"{self.done}{rate}"
        remaining = seconds / self.done * max(self.total - self.done, 0)
        eta = f"{int(remaining) // 60}:{int(remaining) % 60:02d}"
        return f"{self.done}/{self.total}{rate}, ETA {eta}"
