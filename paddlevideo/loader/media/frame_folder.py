"""Frames from folders of numbered pictures."""

from __future__ import annotations

import os
import string
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from paddlevideo.loader.media.frame_source import DEFAULT_FPS, FrameSource
from paddlevideo.loader.media.picture_header import read_picture_header
from paddlevideo.types import Frames
from paddlevideo.utils.names import is_hidden

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
OTHER_PICTURES = (".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp")  # that are not read


def decode_picture(data: bytes, where: str, remedy: str) -> Frames:
    """The picture `[H, W, 3]` of the content of a JPEG or PNG file.

    Args:
        data: the content; what follows the picture itself is ignored.
        where: it is from, which begins the message.
        remedy: what to do, which ends it.

    Raises:
        ValueError: not a complete picture, or one that is too large.
    """
    # Versions of OpenCV fill what is missing of a picture with grey and say nothing, hence the look for its end.
    try:
        end = read_picture_header(data).end
    except ValueError as error:
        raise ValueError(f"{where}: {error}; {remedy}") from None
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8, end), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f"{where}: cannot be decoded, it may be too large ({error.err}); {remedy}") from error
    if frame is None:
        raise ValueError(f"{where}: not a JPEG or PNG picture that can be decoded ({len(data)} bytes); {remedy}")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


class FrameFolder(FrameSource):
    """Pictures `00001.jpg`, `00002.jpg`, ... in a folder; hidden files and names that end in no number are ignored.

    They are JPEG (`.jpg`, `.jpeg`) or PNG. Their names may all begin alike, as `frame_000000.jpg`. Frame k is the k-th
    picture, whatever number the first one has, often 0 or 1. A process lists a folder once, and again when it has
    changed.

    Args:
        folder: where they are.

    Raises:
        FileNotFoundError: no such folder, or a number between the first and the last one is missing.
        ValueError: no picture at all, two with one number, or names that begin in several ways.
    """

    fps = DEFAULT_FPS  # pictures do not say

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder)
        if not self.path.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder of frames")
        self.first_number, self._names = _picture_names(self.path.absolute(), self.path.stat().st_mtime_ns)
        self.claimed_length = len(self._names)

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self._names)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first picture in pixels."""
        height, width = _read_picture(self._path(0)).shape[:2]
        return height, width

    def decode(self, numbers: Sequence[int]) -> Iterator[Frames]:
        """See `FrameSource`."""
        first = None
        for path in map(self._path, numbers):
            frame = _read_picture(path)
            first = frame if first is None else first
            _check_size(path, frame, self._path(numbers[0]), first)
            yield frame

    def timed(self) -> Iterator[tuple[float, Frames]]:
        """See `FrameSource`."""
        for number, frame in enumerate(self.frames()):
            yield number / self.fps, frame

    def damages(self) -> Iterator[str]:
        """See `FrameSource`; every picture is compared with the first that can be read."""
        first: tuple[Path, Frames] | None = None
        for path in map(self._path, range(len(self))):
            try:
                frame = _read_picture(path)
                first = first or (path, frame)
                _check_size(path, frame, *first)
            except (OSError, ValueError) as error:
                yield str(error)

    def _path(self, number: int) -> Path:
        return self.path / os.fsdecode(self._names[number])


@cache
def _picture_names(folder: Path, mtime: int) -> tuple[int, npt.NDArray[np.bytes_]]:
    """The lowest number, and names of the pictures of a folder in order; `mtime` only tells its states apart."""
    names = _numbered(folder)
    first, last = min(names), max(names)
    for number in range(first, last + 1):
        if number not in names:
            prefix, digits = _split(names[last])
            raise FileNotFoundError(
                f"{folder}/{prefix}{number:0{len(digits)}d}.jpg: no such frame, though the folder holds {len(names)} "
                f"pictures up to {names[last]}; frames should be numbered without a hole"
            )
    return first, np.array([os.fsencode(names[number]) for number in range(first, last + 1)], np.bytes_)  # kept: small


def _numbered(folder: Path) -> dict[int, str]:
    """Names of the pictures of a folder by number, all of which begin alike."""
    names: dict[int, str] = {}
    for path in folder.iterdir():
        name = path.name
        prefix, digits = _split(name)
        if not digits or is_hidden(name) or path.suffix.lower() not in PICTURE_SUFFIXES:
            continue
        if names and prefix != (expected := _split(other := next(iter(names.values())))[0]):
            raise ValueError(
                f"{folder}: expected pictures of one video, whose names begin alike, got {other} and {name} "
                f"({expected!r} and {prefix!r}); move the others away"
            )
        if (other := names.setdefault(int(digits), name)) != name:
            raise ValueError(f"{folder}: {name} and {other} are the same frame; remove one")
    if not names:
        unread = next((path.name for path in folder.iterdir() if path.suffix.lower() in OTHER_PICTURES), None)
        got = "" if unread is None else f", got {unread}: convert them with ffmpeg"
        raise ValueError(
            f"{folder}: no frame in this folder; expected pictures 00001.jpg, 00002.jpg, ... (JPEG or PNG){got}"
        )
    return names


def _split(name: str) -> tuple[str, str]:
    """What a picture's name begins with, and the number in which it ends, if it does."""
    stem = Path(name).stem
    prefix = stem.rstrip(string.digits)
    return prefix, stem[len(prefix) :]


def _read_picture(path: Path) -> Frames:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such frame; was it removed while reading?")
    return decode_picture(path.read_bytes(), str(path), "extract it again")


def _check_size(path: Path, frame: Frames, other_path: Path, other: Frames) -> None:
    if frame.shape != other.shape:
        raise ValueError(
            f"{path}: is {_spell(frame.shape)}, but {other_path.name} is {_spell(other.shape)}; all frames of a video "
            "should have one size"
        )


def _spell(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
