"""What commands that predict ask about their network."""

from __future__ import annotations

import argparse
from pathlib import Path

from paddlevideo.engines import add_options, chosen_options
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.utils.command import chosen_config
from paddlevideo.utils.plugins import add_plugin_argument, import_plugins


def add_predictor_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which network predicts and where it runs."""
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        "-m", "--model", type=Path, default=Path("inference"), help="export folder (default: inference)"
    )
    network.add_argument("-w", "--weights", help="run trained weights, a path or URL, without exporting them")
    parser.add_argument("-c", "--config", type=Path, help="with -w: yaml file; default: config.yaml beside the weights")
    add_options(parser)
    add_plugin_argument(parser)
    parser.add_argument("--no_reuse", action="store_true", help="compute all of every clip anew")
    parser.add_argument("--device", help="cpu, gpu or gpu:N; default: the GPU if there is one")


def load_predictor(args: argparse.Namespace, streams: int) -> Predictor:
    """The network that was asked for, on the device that is in use.

    Args:
        args: of `add_predictor_options`.
        streams: that take turns.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: its files, or the options, do not fit together.
    """
    engine = chosen_options(args, exported=args.weights is None)
    if args.weights is None:
        if args.config is not None:
            raise ValueError("-c is for weights (-w); an export folder (-m) has its settings in inference.yaml")
        import_plugins(args.plugin)
        return Predictor.from_export(args.model, **engine, reuse=0 if args.no_reuse else streams)
    config = chosen_config(args.config, args.weights, plugins=args.plugin)
    return Predictor.from_checkpoint(config, args.weights)
