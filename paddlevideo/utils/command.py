"""How a command was called, which config it means, and how it ends: a user's errors become a line and exit code 1."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from paddlevideo.config import Config, load_config
from paddlevideo.utils.http import hide_secrets
from paddlevideo.utils.logging import check_output, protect_terminal
from paddlevideo.utils.plugins import import_plugins, require_plugins
from paddlevideo.utils.signals import StoppedError

INTERRUPTED = 130  # what shells report of a program that SIGINT ended


def command_line() -> str:
    """The command that this process was started with, as one would type it, but for secrets in addresses."""
    return hide_secrets(shlex.join([Path(sys.executable).name, *sys.argv]))


def chosen_config(
    given: Path | None, weights: str | Path | None = None, overrides: Sequence[str] = (), plugins: Sequence[str] = ()
) -> Config:
    """The config that a command line names, or the one beside its weights, with the plugins imported.

    Args:
        given: a file that the user named, whose plugins are imported.
        weights: beside which a config lies otherwise; its plugins are not imported, see `require_plugins`, and files
            are written to the folder of the weights, see `run_folder`, whatever it says.
        overrides: as `load_config` takes them.
        plugins: modules that the user named.

    Raises:
        FileNotFoundError: no such file, or no config beside the weights.
        ValueError: neither file nor weights, or plugins that are not there or not asked for.
    """
    import_plugins(plugins)
    if given is not None:
        config = load_config(given, overrides)
        import_plugins(config.plugins)
    elif weights is not None:
        path = Path(weights).parent / "config.yaml"
        if not path.is_file():
            missing = path if "://" in str(weights) or Path(weights).is_file() else weights
            raise FileNotFoundError(
                f"{missing}: no such file; name weights with their config.yaml beside them, or add -c"
            )
        config = load_config(path, overrides)
        require_plugins(config.plugins, path)
        if not any(override.startswith("output_dir=") for override in overrides):
            config = dataclasses.replace(config, output_dir=str(run_folder(Path(weights))))
    else:
        raise ValueError("give a config with -c, or weights with -w that have a config.yaml beside them")
    return dataclasses.replace(config, plugins=tuple(dict.fromkeys([*config.plugins, *plugins])))


def run_folder(weights: Path) -> Path:
    """The folder of the run that wrote some weights: theirs, or the one whose `checkpoints` they lie in.

    A user has named it with the weights; the `output_dir` in a file beside them may be anybody's choice.
    """
    folder = weights.parent.resolve()
    return folder.parent.parent if folder.parent.name == "checkpoints" else weights.parent


def run_command(job: Callable[[], object]) -> int:
    """Run a command's job; returns its exit code.

    Errors of the documented kinds are printed without a traceback; anything else is a bug of ours and is raised. A
    job that was interrupted ends with 130.
    """
    protect_terminal()
    try:
        try:
            job()
        except SystemExit as end:
            if not end.code:  # of --help
                check_output()
            raise
    except StoppedError as stop:
        print(stop, file=sys.stderr)
        return stop.code
    except (ValueError, KeyError, TypeError, OSError, FloatingPointError, RuntimeError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"error: {text}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0
