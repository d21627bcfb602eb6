"""Where frames come from: folders of numbered pictures and video files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from paddlevideo.types import Frames, IntArray

try:
    import decord
except ImportError:  # it has no wheels for ARM; OpenCV reads the same frames
    decord = None

DEFAULT_FPS = 25.0
_PICTURE = re.compile(r"(\d+)\.(?:jpg|png)", re.IGNORECASE)
_PICTURE_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND\xaeB\x60\x82"}  # JPEG and PNG: first bytes, last bytes
_TEXT_PROBE_BYTES = 4096
_SAME_PICTURE = 4.0  # mean difference in grey levels that two decoders may have


def open_source(path: str | Path, num_frames: int | None = None) -> FrameFolder | VideoFile:
    """The frames of a folder of pictures or of a video file.

    Args:
        path: the folder or file.
        num_frames: how many there should be, if an annotation says so.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: not a source of frames, or another number of them.
    """
    path = Path(path)
    source = FrameFolder(path) if path.is_dir() else VideoFile(path)
    if num_frames is not None and len(source) != num_frames:
        raise ValueError(
            f"{path}: expected {num_frames} frames, got {len(source)}; "
            "get the complete media again, or build the index anew if they are right"
        )
    return source


class FrameFolder:
    """Pictures `00001.jpg` (or png) to N in a folder; names that are no numbers are ignored.

    Args:
        folder: where they are.

    Raises:
        FileNotFoundError: no such folder, or a number between 1 and N is missing.
        ValueError: no picture at all, or two with one number.
    """

    fps = DEFAULT_FPS  # pictures do not say

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder of frames")
        found = [(int(match[1]), match[0]) for f in self.folder.iterdir() if (match := _PICTURE.fullmatch(f.name))]
        names = dict(found)
        if not found:
            raise ValueError(f"{folder}: no frame in this folder; expected pictures 00001.jpg, 00002.jpg, ...")
        if len(names) < len(found):
            twice = next(name for number, name in found if names[number] != name)
            raise ValueError(f"{folder}: {twice} and {names[int(twice[:-4])]} are the same frame; remove one")
        for number in range(1, len(names) + 1):
            if number not in names:
                raise FileNotFoundError(
                    f"{folder}/{number:05d}.jpg: no such frame, though the folder holds {len(names)} pictures up to "
                    f"{names[max(names)]}; frames should be numbered from 1 without a hole"
                )
        self._paths = [self.folder / names[number] for number in range(1, len(names) + 1)]

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self._paths)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first picture in pixels."""
        height, width = _read_picture(self._paths[0]).shape[:2]
        return height, width

    def read(self, indices: IntArray) -> Frames:
        """Frames `indices` (from 0, any order, repeats allowed) as uint8 `[T, H, W, 3]`, RGB.

        Raises:
            FileNotFoundError: a picture has gone.
            ValueError: no such frame, a damaged picture, or pictures of several sizes.
        """
        distinct, inverse = _distinct(indices, len(self), self.folder)
        frames = [_read_picture(self._paths[i]) for i in distinct]
        for number, frame in zip(distinct, frames, strict=True):
            self._check_size(self._paths[number], frame, self._paths[distinct[0]], frames[0])
        return np.stack(frames)[inverse]

    def frames(self) -> Iterator[Frames]:
        """All frames in order, `[H, W, 3]` each.

        Raises:
            ValueError: a damaged picture, or pictures of several sizes.
        """
        first = None
        for path in self._paths:
            frame = _read_picture(path)
            first = frame if first is None else first
            self._check_size(path, frame, self._paths[0], first)
            yield frame

    def damages(self) -> Iterator[str]:
        """What is wrong with the pictures, every one of which is read: damaged, or of another size than the first."""
        first: tuple[Path, Frames] | None = None
        for path in self._paths:
            try:
                frame = _read_picture(path)
                first = first or (path, frame)
                self._check_size(path, frame, *first)
            except (OSError, ValueError) as error:
                yield str(error)

    def _check_size(self, path: Path, frame: Frames, other_path: Path, other: Frames) -> None:
        if frame.shape != other.shape:
            raise ValueError(
                f"{path}: is {_spell(frame)}, but {other_path.name} is {_spell(other)}; all frames of a video should "
                "have one size"
            )


class VideoFile:
    """A video; decord gives random access where it can open the file, OpenCV everywhere else.

    What containers say about their length is often wrong, so the first use of the length decodes the video once; a
    process remembers the answer. No file is held open between calls, so an object may be used after a fork.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a video, or one without a frame.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"{path}: no such video file or folder of frames")
        status = self.path.stat()
        self._version = (str(self.path.absolute()), status.st_mtime_ns, status.st_size)
        self.size, self.fps = _properties(*self._version)  # (height, width) in pixels, frames a second

    def __len__(self) -> int:
        """How many frames can be decoded."""
        return len(self._timeline.times)

    @property
    def _timeline(self) -> _Timeline:
        return _timeline(*self._version)

    def read(self, indices: IntArray) -> Frames:
        """Frames `indices` (from 0, any order, repeats allowed) as uint8 `[T, H, W, 3]`, RGB.

        Raises:
            ValueError: the video ends before one of them, or is damaged.
        """
        distinct, inverse = _distinct(indices, len(self), self.path)
        if self._timeline.decord:
            frames = decord.VideoReader(str(self.path), num_threads=1).get_batch(distinct).asnumpy()
        else:
            frames = np.stack(self._read_forward(distinct, distinct[0] if self._timeline.seekable else 0))
        return frames[inverse]

    def frames(self) -> Iterator[Frames]:
        """All frames in order, `[H, W, 3]` each; one pass, one frame in memory."""
        with _capture(self.path) as capture:
            while capture.grab():
                yield _retrieve(capture, self.path)

    def damages(self) -> Iterator[str]:
        """What keeps the video from being decoded to the end that its length says."""
        count = 0
        try:
            for _ in self.frames():
                count += 1
        except ValueError as error:
            yield f"{error}; it is frame {count + 1} of {len(self)}"

    def _read_forward(self, numbers: list[int], start: int) -> list[Frames]:
        """Decode from frame `start`; the time of every frame tells whether seeking reached the right one."""
        found = []
        with _capture(self.path) as capture:
            if start:
                capture.set(cv2.CAP_PROP_POS_FRAMES, start)
            for number in range(start, numbers[-1] + 1):
                if not capture.grab() or capture.get(cv2.CAP_PROP_POS_MSEC) != self._timeline.times[number]:
                    break
                if number in numbers:
                    found.append(_retrieve(capture, self.path))
        if len(found) == len(numbers):
            return found
        if start:
            return self._read_forward(numbers, 0)
        raise ValueError(
            f"{self.path}: expected {len(self)} frames as at first, now frame {numbers[len(found)] + 1} cannot be "
            "decoded; the file is being changed or its disk fails"
        )


@dataclass(frozen=True)
class _Timeline:
    """Times of all frames in milliseconds, and how frames may be reached."""

    times: npt.NDArray[np.float64]  # [N]
    seekable: bool
    decord: bool


@cache
def _properties(path: str, mtime: int, num_bytes: int) -> tuple[tuple[int, int], float]:
    """Height and width in pixels and frames a second; the last two arguments only tell versions of a file apart."""
    with _capture(Path(path)) as capture:
        fps = capture.get(cv2.CAP_PROP_FPS)
        if not capture.grab():
            raise ValueError(f"{path}: no frame can be decoded; the video is empty or damaged")
        height, width = _retrieve(capture, Path(path)).shape[:2]
    return (height, width), fps if math.isfinite(fps) and fps > 0 else DEFAULT_FPS


@cache
def _timeline(path: str, mtime: int, num_bytes: int) -> _Timeline:
    times = []
    with _capture(Path(path)) as capture:
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
            if len(times) == 1:
                first = _retrieve(capture, Path(path))
    rising = bool((np.diff(times) > 0).all())
    return _Timeline(np.array(times), seekable=rising, decord=_decord_agrees(path, len(times), first))


def _decord_agrees(path: str, num_frames: int, first: Frames) -> bool:
    """Whether decord opens the file, and finds as many frames and the same first one (it may be rotated)."""
    if decord is None:
        return False
    try:
        reader = decord.VideoReader(path, num_threads=1)
        frame = reader[0].asnumpy()
    except (RuntimeError, decord.DECORDError):
        return False
    if len(reader) != num_frames or frame.shape != first.shape:
        return False
    return float(cv2.absdiff(frame, first).mean()) < _SAME_PICTURE


@contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    with path.open("rb") as file:
        if b"\0" not in file.read(_TEXT_PROBE_BYTES):  # FFmpeg would draw the letters of a text as frames
            raise ValueError(f"{path}: not a video but a text or an empty file; expected mp4, avi, ...")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise ValueError(f"{path}: cannot be opened as a video; it is damaged or of an unknown format")
        yield capture
    finally:
        capture.release()


def _retrieve(capture: cv2.VideoCapture, path: Path) -> Frames:
    done, frame = capture.retrieve()
    if not done:
        raise ValueError(f"{path}: a frame cannot be decoded; the video is damaged")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _read_picture(path: Path) -> Frames:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such frame; was it removed while reading?") from None
    end = _PICTURE_ENDS.get(data[:2])
    # Versions of OpenCV fill what is missing of a picture with grey and say nothing, hence the look at its end.
    whole = end is not None and data.rstrip(b"\0").endswith(end)
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if whole else None
    if frame is None:
        raise ValueError(f"{path}: not a complete JPEG or PNG picture ({len(data)} bytes); extract this frame again")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _distinct(indices: IntArray, length: int, path: Path) -> tuple[list[int], IntArray]:
    """The different indices in rising order, and where each index is among them."""
    distinct, inverse = np.unique(indices, return_inverse=True)
    if not len(distinct):
        raise ValueError(f"{path}: asked for no frame at all; expected at least one index")
    if distinct[0] < 0:
        raise ValueError(f"{path}: frame numbers start at 0, got {distinct[0]}")
    if distinct[-1] >= length:
        raise ValueError(
            f"{path}: expected at least {distinct[-1] + 1} frames, got {length}; "
            "it may be truncated: get the complete media again"
        )
    return distinct.tolist(), inverse


def _spell(frame: Frames) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"
