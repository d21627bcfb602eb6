"""Small datasets as the tools write them, and the command that converts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddlevideo.loader.index import ActionIndex, VideoEntry, read_index
from tests.conftest import load_script

command = load_script("tools/convert_dataset.py")


def convert(*arguments: object) -> None:
    """`tools/convert_dataset.py` with these arguments; errors are raised."""
    command.run([str(argument) for argument in arguments])


def converted(folder: Path, *arguments: object, split: str = "all") -> ActionIndex:
    """The index that the command makes."""
    convert(*arguments, "-o", folder / "out")
    return read_index(folder / "out" / f"{split}.jsonl")


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_json(path: Path, content: Any) -> Path:
    return write_text(path, json.dumps(content))


def write_frames(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Numbered pictures of `size` (height, width)."""
    folder.mkdir(parents=True)
    _, data = cv2.imencode(".jpg", np.zeros((*size, 3), np.uint8))
    for number in range(1, count + 1):
        (folder / f"{number:05d}.jpg").write_bytes(data.tobytes())
    return folder


def same(a: ActionIndex, b: ActionIndex) -> None:
    """Check that two indexes say the same."""
    assert a.classes == b.classes
    for one, other in zip(a.videos, b.videos, strict=True):
        assert facts(one) == facts(other)
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.actors, other.actors)


def facts(video: VideoEntry) -> tuple[str, Path, int, tuple[int, int]]:
    return video.id, video.source, video.num_frames, video.size
