"""Write a trained model for engines: the network with its decoding, and `inference.yaml` beside it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.tasks.exporter import FORMATS, export_weights
from paddlevideo.utils.command import chosen_config, run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.logging import start_logging
from paddlevideo.utils.plugins import add_plugin_argument


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, help="yaml file; default: config.yaml beside the weights")
    parser.add_argument("-p", "--params", required=True, help="trained weights: a path or URL")
    parser.add_argument("-o", "--output", type=Path, default=Path("inference"), help="folder (default: inference)")
    parser.add_argument(
        "--format", default="paddle", help=f"some of {','.join(FORMATS)}, with commas between (default: paddle)"
    )
    parser.add_argument(
        "--precision", choices=("float32", "int8"), default="float32", help="int8 writes a quantised graph as well"
    )
    parser.add_argument(
        "--calibration", type=int, default=100, metavar="N", help="samples to quantise on (default: 100)"
    )
    add_plugin_argument(parser)
    parser.add_argument("--device", help="cpu, gpu or gpu:N; default: the GPU if there is one")
    args = parser.parse_args(arguments)
    start_logging()
    use_device(args.device)
    config = chosen_config(args.config, args.params, plugins=args.plugin)
    calibration = args.calibration if args.precision == "int8" else None
    export_weights(config, args.params, args.output, [name.strip() for name in args.format.split(",")], calibration)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
