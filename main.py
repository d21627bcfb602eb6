"""Train, validate, test, export or measure the size of a model described by a yaml config."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from paddlevideo.config import Config
from paddlevideo.engines import add_options, chosen_options
from paddlevideo.tasks.evaluation import measure, test
from paddlevideo.tasks.exporter import export_weights
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.summary import summarize
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils import processes
from paddlevideo.utils.command import chosen_config, run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.locks import claim_for_all
from paddlevideo.utils.logging import check_output, start_logging
from paddlevideo.utils.plugins import add_plugin_argument


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path, help="yaml file; default: config.yaml beside the weights")
    parser.add_argument(
        "-o", "--override", action="append", default=[], metavar="KEY=VALUE",
        help="change a setting, such as -o MODEL.input.size=160; may be repeated",
    )  # fmt: skip
    add_plugin_argument(parser)
    job = parser.add_mutually_exclusive_group()
    job.add_argument("--test", action="store_true", help="measure weights, or an export folder, on the test set")
    job.add_argument("--export", action="store_true", help="write a Paddle Inference model to output_dir/inference")
    job.add_argument("--summary", action="store_true", help="print parameters and multiply-adds of each part")
    parser.add_argument(
        "-w", "--weights", help="weights to test, export or start from: a path or URL, of any known source"
    )
    parser.add_argument("-m", "--model", type=Path, help="with --test: export folder, instead of weights")
    add_options(parser)
    parser.add_argument(
        "--validate", action=argparse.BooleanOptionalAction, default=True, help="measure while training (default: yes)"
    )
    parser.add_argument(
        "--resume", nargs="?", type=Path, const=True, default=False, metavar="CHECKPOINT",
        help="continue from output_dir/last, or from another folder in output_dir/checkpoints",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, help="start of all random numbers")
    parser.add_argument("--amp", action="store_true", help="train in mixed precision (level O1)")
    parser.add_argument("--amp_level", choices=("O0", "O1", "O2"), help="mixed precision level")
    parser.add_argument("--profile", action="store_true", help="tell where the time of a training step goes")
    parser.add_argument("--max_iters", type=int, help="stop training after this many batches")
    parser.add_argument("--device", help="cpu, gpu or gpu:N; default: the GPU if there is one")
    return parser.parse_args(arguments)


def resolve(args: argparse.Namespace) -> Config:
    """The config of the command line: file, overrides, flags."""
    amp_level = args.amp_level or ("O1" if args.amp else None)
    flags = {"seed": args.seed, "max_iters": args.max_iters}
    chosen = [f"{key}={value}" for key, value in flags.items() if value is not None]
    config = chosen_config(args.config, args.weights, [*args.override, *chosen], args.plugin)
    return config if amp_level is None else dataclasses.replace(config, amp={**config.amp, "level": amp_level})


def run(args: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    config = resolve(args)
    use_device(args.device)
    processes.join()
    if processes.count() > 1 and (args.summary or args.export):
        raise ValueError("--summary and --export are for one process; leave out paddle.distributed.launch")
    options = chosen_options(args, exported=args.model is not None)
    if args.model is not None and (not args.test or args.weights is not None):
        raise ValueError("-m names an export folder to --test instead of weights; leave it out, or -w")
    if (args.test or args.export) and args.weights is None and args.model is None:
        raise ValueError("--test and --export need trained weights: -w output/best.pdparams")
    if args.summary:
        start_logging()
        summarize(config)
        check_output()
    elif args.export:
        start_logging()
        export_weights(config, args.weights, Path(config.output_dir) / "inference")
    elif args.test:
        with claim_for_all(Path(config.output_dir) / "test"):
            start_logging(Path(config.output_dir) / "test.log")
            if args.model is None:
                test(config, args.weights)
            else:
                measure(config, Predictor.from_export(args.model, **options))
    else:
        if args.resume and args.weights is not None:
            raise ValueError("--resume continues from a checkpoint in output_dir; leave out -w")
        with claim_for_all(config.output_dir):
            start_logging(Path(config.output_dir) / "train.log")
            Trainer(config, args.weights, validate=args.validate, resume=args.resume, profile=args.profile).fit()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
