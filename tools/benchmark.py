"""Measure exported networks side by side: every engine and precision, speed, memory and difference to the eager one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.config import load_config
from paddlevideo.engines import ENGINES
from paddlevideo.tasks.benchmark import EAGER, Result, Row, machine, measure_all, plain, rows_of, table
from paddlevideo.utils.command import run_command
from paddlevideo.utils.cpu import available_cores
from paddlevideo.utils.device import use_device
from paddlevideo.utils.files import output_folder, write_json
from paddlevideo.utils.logging import check_output, start_logging


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", type=Path, nargs="+", default=[], help="export folders")
    parser.add_argument("-w", "--weights", type=Path, nargs="+", default=[], help="weights to run eagerly as well")
    parser.add_argument("-i", "--input", type=Path, required=True, help="video whose frames are predicted")
    parser.add_argument("-c", "--config", type=Path, help="yaml file whose test set gives a score")
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="change -c")
    every = [f"{name}:{precision}" for name, engine in ENGINES.items() for precision in engine.formats]
    parser.add_argument("--only", nargs="+", choices=every, default=[], help="leave out all others")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each row (default: 5)")
    parser.add_argument("--frames", type=int, default=20, help="frames of a turn (default: 20)")
    parser.add_argument("--threads", type=int, default=available_cores(), help="CPU threads (default: all cores)")
    parser.add_argument("--json", type=Path, default=Path("benchmark.json"), help="file (default: benchmark.json)")
    return parser.parse_args(arguments)


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    start_logging()
    use_device("cpu")
    config = None if args.config is None else load_config(args.config, args.override)
    planned = [one for folder in args.model for one in rows_of(folder, args.input, args.threads, args.only)]
    planned += [Result(Row(path, EAGER, "float32", args.threads, args.input)) for path in args.weights]
    if min(args.rounds, args.frames, args.threads) < 1 or not planned:
        raise ValueError("--rounds, --frames and --threads should be at least 1, and -m or -w name a network")
    output_folder(args.json.parent)
    if args.json.is_dir():
        raise ValueError(f"--json {args.json}: expected a file, this is a folder; add a name such as benchmark.json")
    if args.override and args.config is None:
        raise ValueError("-o changes a config; name it with -c")
    results = measure_all(planned, args.rounds, args.frames, config)
    head = machine(args.threads)
    write_json(args.json, {"machine": head, "rounds": args.rounds, "frames": args.frames, "rows": plain(results)})
    print(f"{head}; medians of {args.rounds} rounds of {args.frames} frames\n{table(results)}")
    check_output()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
