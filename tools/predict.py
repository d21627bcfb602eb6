"""Find actions in videos: an annotated mp4 and a file of JSON lines for each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.config import load_config
from paddlevideo.loader.sources import find_sources
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.writers import predict_file
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.logging import start_logging


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "-i", "--input", required=True, help="video, folder of videos or of numbered frames, or pattern"
    )
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        "-m", "--model", type=Path, default=Path("inference"), help="export folder (default: inference)"
    )
    network.add_argument("-w", "--weights", help="run trained weights, a path or URL, without exporting them")
    parser.add_argument("-c", "--config", type=Path, help="with -w: yaml file; default: config.yaml beside the weights")
    parser.add_argument("-o", "--output", default="predictions", help="folder (default: predictions)")
    parser.add_argument("--threshold", type=float, default=0.3, help="leave out detections below this score")
    parser.add_argument("--batch_size", type=int, default=1, help="frames that go through the network together")
    parser.add_argument("--threads", type=int, help="CPU threads of an exported network")
    parser.add_argument("--device", help="cpu, gpu or gpu:N; default: the GPU if there is one")
    return parser.parse_args(arguments)


def run(args: argparse.Namespace) -> None:
    """Predict every video of the input."""
    start_logging()
    use_device(args.device)
    paths = find_sources(args.input)
    refuse_equal_names(paths)
    folder = output_folder(args.output)
    if args.weights is not None:
        config = load_config(args.config or Path(args.weights).parent / "config.yaml")
        predictor = Predictor.from_checkpoint(config, args.weights)
    else:
        predictor = Predictor.from_export(args.model, threads=args.threads)
    for path in paths:
        predict_file(predictor, path, folder, args.threshold, args.batch_size)


def refuse_equal_names(paths: list[Path]) -> None:
    """Stop before one video's answers overwrite another's."""
    first: dict[str, Path] = {}
    for path in paths:
        name = path.resolve().name if path.is_dir() else path.stem
        if name in first:
            raise ValueError(f"{path} and {first[name]} would both be written as {name}.mp4; predict them one by one")
        first[name] = path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
