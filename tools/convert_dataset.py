"""Turn the annotation of a dataset into the index that the configs read, or into another format."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.formats import Choices, WritableFormat, convert
from paddlevideo.formats.base import parse_size
from paddlevideo.formats.text import read_classes
from paddlevideo.registry import FORMATS
from paddlevideo.utils.command import run_command
from paddlevideo.utils.locks import claim

FORMAT_NAMES = {key.removesuffix("Format").lower(): key for key in FORMATS}
WRITABLE = [name for name, key in FORMAT_NAMES.items() if issubclass(FORMATS.get(key), WritableFormat)]


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"the value of {text!r} is not yaml: {error}") from error


def _split(text: str) -> tuple[str, Path | None]:
    name, equals, path = text.partition("=")
    if not re.fullmatch(r"[\w-]+", name) or bool(equals) != bool(path):
        raise argparse.ArgumentTypeError(f"expected NAME or NAME=LIST, such as test=test.txt, got {text!r}")
    return name, Path(path) if path else None


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("sources", nargs="+", type=Path, metavar="SOURCE", help="annotation files or folders of one format")
    add("--from", dest="reader", required=True, choices=sorted(FORMAT_NAMES), help="format of the sources")
    add(
        "--to",
        dest="writer",
        default="neutral",
        choices=sorted(WRITABLE),
        help="format to write (default: neutral, the index)",
    )
    add("-o", "--output", type=Path, required=True, help="folder for a file a split and classes.txt")
    add("--media", type=Path, help="folder of the videos or frame folders, for their frame counts and sizes")
    add("--classes", type=Path, help="class names in the order of their labels, one a line (default: as in the data)")
    add(
        "--split", type=_split, action="append", default=[], metavar="NAME[=LIST]",
        help="the videos of a file with an id a line, or without it all that are in no list; may be repeated",
    )  # fmt: skip
    add("--tolerance", type=float, default=Choices.tolerance, help="pixels that a box may reach over the edge")
    add(
        "--annotation-size", type=parse_size, metavar="WIDTHxHEIGHT",
        help="of the frames that boxes were drawn on (default: as the annotation says, else that of the media)",
    )  # fmt: skip
    add("--all-annotated", action="store_true", help="frames without annotation are frames without action")
    add("--no-actors", action="store_true", help="leave out which boxes are one actor")
    for side in ("from", "to"):
        add(
            f"--{side}-option", type=_option, action="append", default=[], metavar="KEY=VALUE",
            help=f"setting of the format to convert {side}, see paddlevideo/formats; may be repeated",
        )  # fmt: skip
    return parser.parse_args(arguments)


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line and convert."""
    args = parse(arguments)
    reader, writer = build(args.reader, args.from_option), build(args.writer, args.to_option)
    choices = Choices(
        args.media,
        read_classes(args.classes) if args.classes else (),
        _once(args.split, "--split"),
        args.tolerance,
        not args.no_actors,
        args.annotation_size,
        args.all_annotated,
    )
    with claim(args.output):
        convert([reader.read(source) for source in args.sources], writer, args.output, choices)


def build(name: str, options: Iterable[tuple[str, Any]]) -> Any:
    """The format of a name on the command line, with its settings."""
    return FORMATS.build({"name": FORMAT_NAMES[name], **_once(options, "--from-option or --to-option")})


def _once(pairs: Iterable[tuple[str, Any]], flag: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{flag}: {key} is given twice; leave one out")
        found[key] = value
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
