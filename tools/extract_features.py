"""Describe videos with a trained model: a file of features for each, or the bank for models with long-term context."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.tasks.feature_bank import extract
from paddlevideo.tasks.feature_files import extract_files
from paddlevideo.utils.command import chosen_config, run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.locks import claim
from paddlevideo.utils.logging import start_logging
from paddlevideo.utils.plugins import add_plugin_argument


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line and extract."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, help="yaml file; default: config.yaml beside the weights")
    parser.add_argument("-w", "--weights", required=True, help="trained weights: a path or URL")
    parser.add_argument(
        "-i",
        "--input",
        help="video, folder of videos or of numbered frames, or pattern: write NAME.npy [T, D] and NAME.json of each; "
        "without it, the bank of all videos of the config's datasets",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the files")
    parser.add_argument("--every", type=int, default=8, help="frames of a snippet, or between clips (default: 8)")
    add_plugin_argument(parser)
    parser.add_argument("--device", help="cpu, gpu or gpu:N; default: the GPU if there is one")
    args = parser.parse_args(arguments)
    start_logging()
    use_device(args.device)
    config = chosen_config(args.config, args.weights, plugins=args.plugin)
    if args.input is None:
        with claim(args.output):
            extract(config, args.weights, args.output, args.every)
    else:
        extract_files(config, args.weights, args.input, args.output, args.every)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
