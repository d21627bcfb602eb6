"""What a run tells: lines on the terminal and in a file, and a progress line that redraws itself."""

from __future__ import annotations

import io
import logging
import sys
import time
from pathlib import Path

from paddlevideo.utils import processes

logger = logging.getLogger("paddlevideo")


def start_logging(file: Path | None = None) -> None:
    """Send messages to the terminal, and to `file` as well if given; of several processes only the first one tells."""
    logger.setLevel(logging.INFO if processes.is_first() else logging.ERROR)
    logger.propagate = False
    accept_any_text()
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if file is not None and processes.is_first():
        handlers.append(logging.FileHandler(file, encoding="utf-8", errors="backslashreplace"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)


def accept_any_text() -> None:
    """Let the terminal show names that its encoding does not have, escaped, instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
