"""Find actions in videos, cameras, network streams and files of features, and write files about each of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.loader.media.live import Connection
from paddlevideo.tasks.feature_files import extract_files
from paddlevideo.tasks.predictor_options import add_predictor_options, load_predictor
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.utils.command import chosen_config, run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.logging import start_logging
from paddlevideo.utils.threads import stop_on_signals

FRAMES = 16  # of a snippet


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "-i",
        "--input",
        required=True,
        help="video, folder of videos or of numbered frames, pattern, number of a camera (0, 1, ...), or an address "
        "such as rtsp://HOST/PATH; for a network that reads features, files of them",
    )
    parser.add_argument(
        "--extractor",
        metavar="WEIGHTS",
        help="for a network that reads features: what describes the videos of -i; its config.yaml lies beside it",
    )
    parser.add_argument("--every", type=int, help=f"with --extractor: frames of a snippet (default: {FRAMES})")
    add_predictor_options(parser)
    parser.add_argument("-o", "--output", default="predictions", help="folder (default: predictions)")
    parser.add_argument("--threshold", type=float, help="leave out answers below this score (default for boxes: 0.3)")
    parser.add_argument("--top", type=int, default=5, help="classes that are told of a clip (default: 5)")
    parser.add_argument("--batch_size", type=int, default=1, help="samples that go through the network together")
    parser.add_argument("--stride", type=int, default=1, help="run the network on every N-th frame (default: 1)")
    parser.add_argument(
        "--realtime", action="store_true", help="keep up with the clock: drop frames when the network is too slow"
    )
    parser.add_argument("--patience", type=int, default=25, help="frames that a track may be missing (default: 25)")
    parser.add_argument("--csv", action="store_true", help="write the detections as a table, too")
    parser.add_argument("--show", action="store_true", help="show the video in a window while it is written; q ends")
    parser.add_argument(
        "--timeout", type=float, default=10.0, help="seconds without a frame until a live stream is reconnected"
    )
    parser.add_argument(
        "--reconnect", type=int, default=8, help="reconnections in a row without a frame until it is given up"
    )
    return parser.parse_args(arguments)


def described(args: argparse.Namespace, folder: Path) -> list[str]:
    """Files of features of the videos that were named."""
    config = chosen_config(None, args.extractor, plugins=args.plugin)
    every = FRAMES if args.every is None else args.every
    return list(map(str, extract_files(config, args.extractor, args.input, folder, every)))


def run(args: argparse.Namespace) -> None:
    """Predict all of the input."""
    start_logging()
    use_device(args.device)
    options = StreamOptions(
        threshold=args.threshold,
        batch_size=args.batch_size,
        stride=args.stride,
        realtime=args.realtime,
        patience=args.patience,
        table=args.csv,
        show=args.show,
        top=args.top,
    )
    connection = Connection(args.timeout, args.reconnect)
    if args.every is not None and args.extractor is None:
        raise ValueError("--every is for --extractor, which describes videos; leave it out, or name an extractor")
    predictor = load_predictor(args, options.batch_size)
    if args.extractor is not None and predictor.reads_frames:
        raise ValueError("--extractor is for a network that reads features, and this one reads videos; leave it out")
    folder = output_folder(args.output)
    inputs = [args.input] if args.extractor is None else described(args, folder / "features")
    streams = [source for text in inputs for source in predictor.sources(text, connection, args.realtime)]
    with stop_on_signals() as stop:
        predict_streams(predictor, streams, folder, options, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
