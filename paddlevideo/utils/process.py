"""Work that may bring a process down, in one of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def fresh_process() -> ProcessPoolExecutor:
    """A process that has nothing of this one, neither its memory nor its threads."""
    return ProcessPoolExecutor(1, get_context("spawn"))


def in_own_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that a module has at its top level; arguments and result are copied.

    Raises:
        RuntimeError: it raised anything, or its process died; says what.
    """
    with fresh_process() as process:
        try:
            return process.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise RuntimeError("the process died, as of a segmentation fault") from error
        except (Exception, SystemExit) as error:
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
