"""Modules of a user's own that register parts: imported because the user says so, never because a file does."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

OWN = Path(__file__).parents[1]


def add_plugin_argument(parser: argparse.ArgumentParser) -> None:
    """The option `--plugin`."""
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="MODULE",
        help="import this module of your own, which registers parts; may be repeated",
    )  # fmt: skip


def import_plugins(modules: Sequence[str]) -> None:
    """Import modules by their dotted names.

    Raises:
        ValueError: no such module; says which part of its name is not found.
        RuntimeError: it raised an error itself; says where.
    """
    for name in modules:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"plugin {name!r}: expected the name of a module, such as my_package.my_module")
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
                raise ValueError(
                    f"plugin {name}: no module {error.name} is found; install it, or put the folder that it lies in "
                    "into PYTHONPATH"
                ) from error
            frames = traceback.extract_tb(error.__traceback__)
            place = [frame for frame in frames if not Path(frame.filename).is_relative_to(OWN)][-1]
            file, line = place.filename, place.lineno
            if isinstance(error, SyntaxError):  # which is in a file that never ran
                file, line = error.filename or file, error.lineno or line
            text = error.args[0] if isinstance(error, KeyError) and error.args else error
            raise RuntimeError(
                f"plugin {name}: importing it raised at {file}:{line} {type(error).__name__}: {text}"
            ) from error


def require_plugins(modules: Sequence[str], where: Path) -> None:
    """Refuse a file whose parts come from modules that the user has not asked for.

    Raises:
        ValueError: they are not imported; says how to ask for them.
    """
    missing = [name for name in map(str, modules) if name not in sys.modules]
    if missing:
        raise ValueError(
            f"{where}: its parts come from {', '.join(missing)}, and code is not run because a file beside weights "
            f"names it; if you trust it, add {' '.join(f'--plugin {name}' for name in missing)}"
        )
