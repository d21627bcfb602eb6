"""Fit anchors to the training boxes of a config, and print them as the config needs them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.tasks.anchors import propose_anchors
from paddlevideo.utils.command import chosen_config, run_command
from paddlevideo.utils.logging import check_output, start_logging


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line and fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, required=True, help="yaml file")
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="change a setting")
    parser.add_argument("--count", type=int, default=5, help="how many anchors (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="start of the random numbers (default: 0)")
    args = parser.parse_args(arguments)
    start_logging()
    propose_anchors(chosen_config(args.config, overrides=args.override), args.count, args.seed)
    check_output()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
