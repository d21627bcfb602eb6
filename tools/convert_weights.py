"""Convert weights of other programs for use here, or ours to another kind of file; see docs/weights.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.tasks.conversion import convert
from paddlevideo.utils.command import chosen_config, run_command
from paddlevideo.utils.logging import start_logging


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line and convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="weight file of any known program, or its URL with #sha256=...")
    parser.add_argument("target", type=Path, help="file to write: .pdparams or .safetensors")
    parser.add_argument("-c", "--config", type=Path, help="yaml file of the model they are for, to check that they fit")
    args = parser.parse_args(arguments)
    start_logging()
    convert(args.source, args.target, chosen_config(args.config) if args.config else None)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
