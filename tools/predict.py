"""Find actions in videos, cameras and network streams: an annotated mp4, JSON lines and tubes for each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.loader.live import Connection, open_streams
from paddlevideo.tasks.predictor_options import add_predictor_options, load_predictor
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.logging import start_logging
from paddlevideo.utils.threads import stop_on_signals


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "-i",
        "--input",
        required=True,
        help="video, folder of videos or of numbered frames, pattern, number of a camera (0, 1, ...), or an address "
        "such as rtsp://HOST/PATH",
    )
    add_predictor_options(parser)
    parser.add_argument("-o", "--output", default="predictions", help="folder (default: predictions)")
    parser.add_argument("--threshold", type=float, default=0.3, help="leave out detections below this score")
    parser.add_argument("--batch_size", type=int, default=1, help="frames that go through the network together")
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
    )
    streams = open_streams(args.input, Connection(args.timeout, args.reconnect), args.realtime)
    folder = output_folder(args.output)
    predictor = load_predictor(args, min(len(streams), options.batch_size))
    with stop_on_signals() as stop:
        predict_streams(predictor, streams, folder, options, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
