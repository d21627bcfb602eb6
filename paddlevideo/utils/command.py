"""How a command was called, and how it ends: errors that a user can mend become one line and exit code 1."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

INTERRUPTED = 130  # what shells report of a program that SIGINT ended


def command_line() -> str:
    """The command that this process was started with, as one would type it."""
    return shlex.join([Path(sys.executable).name, *sys.argv])


def run_command(job: Callable[[], object]) -> int:
    """Run a command's job; returns its exit code.

    Errors of the documented kinds are printed without a traceback; anything else is a bug of ours and is raised. A
    job that was interrupted ends with 130.
    """
    try:
        job()
    except (ValueError, KeyError, TypeError, OSError, FloatingPointError, RuntimeError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"error: {text}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0
