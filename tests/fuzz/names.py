"""Names that no one expects, given to what needs no network and no media."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from paddlevideo.config import load_config
from paddlevideo.loader.index import ActionIndex, VideoEntry, read_index, write_index
from paddlevideo.loader.media.find import find_features, find_sources
from paddlevideo.loader.media.frame_folder import FrameFolder
from paddlevideo.tasks.board_writer import BoardWriter
from paddlevideo.tasks.tracks import TubeLinker
from paddlevideo.tasks.writers import DetectionWriter
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.names import check_text, output_name
from tests.formats.files import convert, write_frames
from tests.fuzz.mutations import Rng, pick

PARTS = (
    *("a", "Run", "1", "00001", "caf\udce9", "\udcff\udcfe", "\ud800", "\udfff", "a\0b", "a\nb", "\r", "\t", "\x1b[2J"),
    *("%", "%s%d", "%00", "%E9", "{}", "{0}", "${HOME}", "$(id)", "`id`", "; id", "|", "&", "<b>", "'", '"', "\\"),
    *("x" * 300, "é" * 200, "🎬" * 70, "-", "--help", "-rf", ".", "..", "...", " ", "", "~", "~root", "*", "?", "[a]"),
    *("CON", "nul.txt", "COM1", "a.", "a:b", "\u202e", "\u200f", "\ufeff", "\u2028", "e\u0301", "İ", "#", "a,b", "@"),
    *(
        "/",
        "//",
        "a/b",
        "../a",
        "/etc/passwd",
        "../../../../tmp/x",
        "null",
        "true",
        "1e5",
        "=1+1",
        "[",
        "{",
        "!!x",
        "&a",
    ),
)
ENDINGS = ("", "", ".mp4", ".npy", ".jpg", ".", " ", "/", "\n")


def hostile_name(rng: Rng) -> bytes:
    """One or two of the parts with an ending, and who gets it."""
    name = "".join(pick(PARTS, rng) for _ in range(int(rng.integers(1, 3)))) + pick(ENDINGS, rng)
    return json.dumps({"use": pick(list(USES), rng), "name": name}).encode()


def prepare_names(folder: Path) -> None:
    """Import VisualDL, which asks a program of the system what it runs on."""
    with BoardWriter(folder / "board"):
        pass


def use_name(path: Path) -> None:
    """Give the name of a file to what the file says."""
    if path.is_file():
        told = json.loads(path.read_bytes())
        USES[told["use"]](output_folder(path.parent / "out"), told["name"])


def _made(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """A file or folder of this name, if there can be one in the folder."""
    path = folder / name
    if path.parent == folder and name not in ("", ".", ".."):
        with suppress(OSError, ValueError):
            make(path)
    return path


def _files(folder: Path, name: str) -> None:
    path = _made(folder, name, Path.touch)
    for find in (find_sources, find_features):
        try:
            found = find(str(path))
        except FileNotFoundError:
            continue
        assert all(one.exists() for one in found), f"{found} were found and are not there"


def _pictures(folder: Path, name: str) -> None:
    _made(folder, name, lambda path: write_frames(path, 2, (8, 8)))
    FrameFolder(folder / name)


def _picture(folder: Path, name: str) -> None:
    write_frames(folder / "frames", 2, (8, 8))
    _made(folder / "frames", name, Path.touch)
    list(FrameFolder(folder / "frames").decode([0, 1]))


def _index_of(folder: Path, **texts: str) -> ActionIndex:
    boxes = np.array([[1, 0, 1, 2, 3, 4]], np.float64)
    source = folder / "media" / texts.get("source", "v1")
    return ActionIndex((texts.get("label", "Run"),), (VideoEntry(texts.get("id", "v1"), source, 2, (8, 8), boxes),))


def _index(key: str) -> Callable[[Path, str], None]:
    def use(folder: Path, name: str) -> None:
        index, path = _index_of(folder, **{key: name}), folder / "train.jsonl"
        write_index(path, index, folder)
        got = read_index(path)
        assert (got.classes, got.videos[0].id) == (index.classes, index.videos[0].id), "another name came back"

    return use


def _conversion(key: str, *arguments: str) -> Callable[[Path, str], None]:
    def use(folder: Path, name: str) -> None:
        _made(folder / "media", name, lambda path: write_frames(path, 2, (8, 8)))
        write_index(folder / "train.jsonl", _index_of(folder, **{key: name}), folder)
        convert("--from", "neutral", folder / "train.jsonl", "-o", folder / "made", *arguments)

    return use


def _output(folder: Path, name: str) -> None:
    made = output_name(name)
    assert "/" not in made, f"a path was made of {name!r}"
    (folder / f"{made}.tubes.json").write_text("")


def _stream(folder: Path, name: str) -> None:
    check_text(name, f"{folder}: classes", "choose another")  # as everything that reads names of classes does
    linker = TubeLinker()
    writer = DetectionWriter(folder, output_name(name), [name], 5.0, 0.1, linker, table=True)
    answer: Any = {"boxes": np.array([[0.1, 0.1, 0.5, 0.5]]), "labels": np.zeros(1, np.int64), "scores": np.ones(1)}
    meta = {"frame": 1, "time": 0.0, "size": [32, 32]}
    try:
        writer.write({"frame": np.zeros((32, 32, 3), np.uint8), "meta": meta}, answer)
    finally:
        writer.close()
    line = json.loads((folder / f"{output_name(name)}.jsonl").read_bytes())
    assert line["detections"][0]["label"] == name, "another name was written"


def _board(folder: Path, name: str) -> None:
    with BoardWriter(folder / "board") as board:
        board.scalar(name, 1.0, 1)
        board.image(name, np.zeros((4, 4, 3), np.uint8), 1)


def _setting(folder: Path, name: str) -> None:
    config = folder / "config.yaml"
    config.write_bytes(json.dumps({"classes": [name], "output_dir": name, "epochs": 1}).encode())
    load_config(config)


def _config(folder: Path, name: str) -> None:
    load_config(_made(folder, name, lambda path: path.write_text("epochs: 1")))


USES: dict[str, Callable[[Path, str], None]] = {
    "files": _files,
    "pictures": _pictures,
    "picture": _picture,
    "output": _output,
    "stream": _stream,
    "board": _board,
    "setting": _setting,
    "config": _config,
    **{f"index {key}": _index(key) for key in ("id", "source", "label")},
    **{
        f"{key} to {to}": _conversion(key, "--to", to)
        for key in ("id", "source", "label")
        for to in ("neutral", "coco")
    },
    **{f"{key} to ava": _conversion(key, "--to", "ava", "--to-option", "rate=1") for key in ("id", "source", "label")},
}
