"""Look at all the data of a config: name every defect, print what there is, and draw examples."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.tasks.dataset_check import check_datasets
from paddlevideo.utils.command import chosen_config, run_command
from paddlevideo.utils.logging import start_logging


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line and check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, required=True, help="yaml file")
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="change a setting")
    parser.add_argument("--output", type=Path, help="folder of pictures and defects.txt (default: output_dir/dataset)")
    parser.add_argument("--fast", action="store_true", help="decode only the first frame of each video")
    args = parser.parse_args(arguments)
    start_logging()
    config = chosen_config(args.config, overrides=args.override)
    check_datasets(config, args.output or Path(config.output_dir) / "dataset", args.fast)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
