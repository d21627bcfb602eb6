"""Frames from folders of numbered pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from paddlevideo.loader.media.frame_source import DEFAULT_FPS, FrameSource
from paddlevideo.types import Frames

_PICTURE = re.compile(r"(?:img_)?([0-9]+)\.(?:jpg|png)", re.IGNORECASE)
_PICTURE_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND\xaeB\x60\x82"}  # JPEG and PNG: first bytes, last bytes


def decode_picture(data: bytes, where: str, remedy: str) -> Frames:
    """The picture `[H, W, 3]` of the content of a JPEG or PNG file.

    Args:
        data: the content.
        where: it is from, which begins the message.
        remedy: what to do, which ends it.

    Raises:
        ValueError: not a complete picture, or one that is too large.
    """
    end = _PICTURE_ENDS.get(data[:2])
    # Versions of OpenCV fill what is missing of a picture with grey and say nothing, hence the look at its end.
    whole = end is not None and data.rstrip(b"\0").endswith(end)
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if whole else None
    except cv2.error as error:
        raise ValueError(f"{where}: cannot be decoded, it may be too large ({error.err}); {remedy}") from error
    if frame is None:
        raise ValueError(f"{where}: not a complete JPEG or PNG picture ({len(data)} bytes); {remedy}")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


class FrameFolder(FrameSource):
    """Pictures `00001.jpg` (or png, or `img_00001.jpg`) to N in a folder; names that are no numbers are ignored.

    A process lists a folder once, and again when it has changed.

    Args:
        folder: where they are.

    Raises:
        FileNotFoundError: no such folder, or a number between 1 and N is missing.
        ValueError: no picture at all, or two with one number.
    """

    fps = DEFAULT_FPS  # pictures do not say

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder)
        if not self.path.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder of frames")
        self._names = _picture_names(self.path.absolute(), self.path.stat().st_mtime_ns)
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
        return self.path / self._names[number].decode()


@cache
def _picture_names(folder: Path, mtime: int) -> npt.NDArray[np.bytes_]:
    """Names of the pictures of a folder in order; the last argument only tells its states apart."""
    found = [(int(match[1]), match[0]) for f in folder.iterdir() if (match := _PICTURE.fullmatch(f.name))]
    names = dict(found)
    if not found:
        raise ValueError(f"{folder}: no frame in this folder; expected pictures 00001.jpg, 00002.jpg, ...")
    if len(names) < len(found):
        number, twice = next((number, name) for number, name in found if names[number] != name)
        raise ValueError(f"{folder}: {twice} and {names[number]} are the same frame; remove one")
    for number in range(1, len(names) + 1):
        if number not in names:
            raise FileNotFoundError(
                f"{folder}/{number:05d}.jpg: no such frame, though the folder holds {len(names)} pictures up to "
                f"{names[max(names)]}; frames should be numbered from 1 without a hole"
            )
    return np.array([names[number] for number in range(1, len(names) + 1)], np.bytes_)  # small, as it is kept


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
