"""How a command was called, and how it ends: errors that a user can mend become one line and exit code 1."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path


def command_line() -> str:
    """The command that this process was started with, as one would type it."""
    return shlex.join([Path(sys.executable).name, *sys.argv])


def run_command(job: Callable[[], object]) -> int:
    """Run a command's job; returns its exit code.

    Errors of the documented kinds are printed without a traceback; anything else is a bug of ours and is raised.
    """
    try:
        job()
    except (ValueError, KeyError, TypeError, OSError, FloatingPointError, RuntimeError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"error: {text}", file=sys.stderr)
        return 1
    return 0
