"""Measure a file of answers, which main.py --test has written, with any metrics; no network is needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.metrics.protocols import PROTOCOLS
from paddlevideo.tasks.rescoring import rescore
from paddlevideo.utils.command import chosen_config, run_command
from paddlevideo.utils.logging import check_output, start_logging


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detections", type=Path, help="detections.jsonl, scores.jsonl or another such file of a test")
    parser.add_argument("-c", "--config", type=Path, required=True, help="yaml file of that test")
    parser.add_argument(
        "-o", "--override", action="append", default=[], metavar="KEY=VALUE",
        help="change a setting, such as -o DATASET.test.every_frame=true; may be repeated",
    )  # fmt: skip
    parser.add_argument("--protocol", choices=PROTOCOLS, help="metrics to compute (default: those of the config)")
    parser.add_argument("--output", type=Path, help="folder for metrics.json and report.html (default: print only)")
    args = parser.parse_args(arguments)
    start_logging()
    rescore(chosen_config(args.config, overrides=args.override), args.detections, args.protocol, args.output)
    if args.output is None:
        check_output()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
