"""Show in a browser what a network finds in a video or in front of the browser's camera, while it finds it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.engines import require
from paddlevideo.tasks.predictor_options import add_predictor_options, load_predictor
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device
from paddlevideo.utils.logging import start_logging

MOST_UPLOAD = 1_000_000  # MB
MOST_PORT = 65535


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_predictor_options(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address or name to listen at (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="to listen at (default: 8000)")
    parser.add_argument("--max-upload", type=float, default=200, help="MB that a video may have (default: 200)")
    parser.add_argument("--sessions", type=int, default=4, help="videos and cameras at the same time (default: 4)")
    parser.add_argument("--threshold", type=float, default=0.05, help="leave out detections below this score")
    return parser.parse_args(arguments)


def run(args: argparse.Namespace) -> None:
    """Serve until SIGINT (Ctrl-C) or SIGTERM."""
    require("aiohttp", "serve")
    from paddlevideo.serve.app import make_app
    from paddlevideo.serve.network import SharedNetwork
    from paddlevideo.serve.server import serve

    if not 0 < args.max_upload <= MOST_UPLOAD or not 0 <= args.port <= MOST_PORT:
        raise ValueError(
            f"--max-upload should be in 0..{MOST_UPLOAD} MB and --port in 0..{MOST_PORT}, got {args.max_upload:g} and "
            f"{args.port}"
        )
    start_logging()
    use_device(args.device)
    network = SharedNetwork(load_predictor(args, args.sessions), args.threshold, args.sessions)
    serve(make_app(network, int(args.max_upload * 1e6), args.host), args.host, args.port)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
