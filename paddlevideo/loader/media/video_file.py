"""Frames from video files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from paddlevideo.loader.media.frame_source import DEFAULT_FPS, FrameSource
from paddlevideo.types import Frames
from paddlevideo.utils.names import openable
from paddlevideo.utils.opencv_files import open_capture

try:
    import decord
except ImportError:  # it has no wheels for ARM; OpenCV reads the same frames
    decord = None

_TEXT_PROBE_BYTES = 4096
_LOST_IN_A_ROW = 3  # damaged frames of a video after which more are looked for
_PROBE_FRAMES = 16  # decoded at the beginning of a video to see whether its packets tell the truth
_SAME_PICTURE = 4.0  # mean difference in grey levels that two decoders may have
_ROUGHLY = 0.05  # difference of two rates that may come from rounded times
_ROUNDING = 1.5  # milliseconds by which distances between evenly spaced frames differ, as some files round times

Times = npt.NDArray[np.float64]  # [N], milliseconds


def claimed_size(path: Path) -> tuple[int, int]:
    """Height and width that a video file says its frames have; none is decoded for it.

    Raises:
        ValueError: not a video.
    """
    with _capture(path) as capture:
        return round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), round(capture.get(cv2.CAP_PROP_FRAME_WIDTH))


class VideoFile(FrameSource):
    """A video, decoded with one thread: clips are short, and workers share the cores.

    OpenCV reads. It tells frames apart by their times, so seeking is exact or is not used; where times do not tell,
    decord finds them by number if it agrees about the video. What containers say about their length is often wrong, so
    it comes from the times of all packets; where those are doubtful, the video is decoded once. A process remembers the
    answer. No file is held open between calls, so an object may be used after a fork.

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
        self._size, self._claimed_fps, self.claimed_length = _properties(*self._version)

    @cached_property
    def fps(self) -> float:  # type: ignore[override]
        """Frames a second: what the file says, unless its frames come evenly at another rate."""
        return _rate(*self._version, self._claimed_fps)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame in pixels."""
        return self._size

    def __len__(self) -> int:
        """How many frames can be decoded."""
        return len(self._timeline[0])

    @property
    def _timeline(self) -> tuple[Times, bool]:
        return _timeline(*self._version)

    def decode(self, numbers: Sequence[int], seek: bool = True) -> Iterator[Frames]:
        """See `FrameSource`; a seek may lead to an earlier frame, and one that leads too far is not followed."""
        times, tell = self._timeline
        if not tell and _decord_agrees(*self._version, len(times)):
            yield from self._by_number(numbers)
            return
        with _capture(self.path) as capture:
            if seek := seek and tell and numbers[0] > 0:
                capture.set(cv2.CAP_PROP_POS_MSEC, times[numbers[0]])
            moments = _moments(capture, tell)
            now = next(moments, math.inf)
            if seek and now > times[numbers[0]]:
                yield from self.decode(numbers, seek=False)
                return
            for number in numbers:
                while not now >= times[number]:  # it is no number where a frame was lost
                    now = next(moments, math.inf)
                if now != times[number]:
                    raise ValueError(_lost(self.path, number, len(times)))
                yield _retrieve(capture, _lost(self.path, number, len(times)))

    def damages(self) -> Iterator[str]:
        """See `FrameSource`; what follows the first damage is not looked at."""
        try:
            for _ in self.frames():
                pass
        except ValueError as error:
            yield str(error)

    def timed(self) -> Iterator[tuple[float, Frames]]:
        """See `FrameSource`."""
        with _capture(self.path) as capture:
            for number, moment in enumerate(_moments(capture)):
                if math.isnan(moment):
                    raise ValueError(_lost(self.path, number))
                yield moment / 1000, _retrieve(capture, _lost(self.path, number))

    def _by_number(self, numbers: Sequence[int]) -> Iterator[Frames]:
        with openable(self.path) as place:
            reader = decord.VideoReader(place, num_threads=1)
        for number in numbers:
            try:
                yield reader[number].asnumpy()
            except (RuntimeError, decord.DECORDError):
                raise ValueError(_lost(self.path, number, len(self))) from None


@cache
def _properties(path: str, mtime: int, num_bytes: int) -> tuple[tuple[int, int], float, int | None]:
    """Height and width in pixels, frames a second and frames, as the file says.

    Its last two arguments only tell versions of a file apart.
    """
    with _capture(Path(path)) as capture:
        fps, length = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        nothing = f"{path}: no frame can be decoded, the video is empty or damaged; get it again"
        if not capture.grab():
            raise ValueError(nothing)
        height, width = _retrieve(capture, nothing).shape[:2]
    claimed_length = int(length) if 0 < length < math.inf else None
    return (height, width), fps if math.isfinite(fps) and fps > 0 else DEFAULT_FPS, claimed_length


@cache
def _rate(path: str, mtime: int, num_bytes: int, claimed: float) -> float:
    """Frames a second; raw streams claim what they do not know."""
    with _capture(Path(path)) as capture:
        steps = np.diff(list(islice(_moments(capture), _PROBE_FRAMES)))
    if len(steps) < 2 or not np.ptp(steps) <= _ROUNDING or not steps.mean() > 0:
        return claimed
    measured = 1000 / float(steps.mean())
    return claimed if abs(measured / claimed - 1) < _ROUGHLY else measured


@cache
def _timeline(path: str, mtime: int, num_bytes: int) -> tuple[Times, bool]:
    """Times of all frames in milliseconds and True; if they do not rise, the numbers of the frames and False."""
    times = _packet_times(Path(path))
    if times is None:
        with _capture(Path(path)) as capture:
            times = np.fromiter(_moments(capture), np.float64)
    if np.isnan(times).any():
        raise ValueError(_lost(path, int(np.isnan(times).argmax()), len(times)))
    tell = bool((np.diff(times) > 0).all())
    return (times if tell else np.arange(len(times), dtype=np.float64)), tell


@cache
def _decord_agrees(path: str, mtime: int, num_bytes: int, num_frames: int) -> bool:
    """Whether decord opens the file, and finds as many frames and the same first one (it may be rotated)."""
    if decord is None:
        return False
    try:
        with openable(Path(path)) as place:
            reader = decord.VideoReader(place, num_threads=1)
        frame = reader[0].asnumpy()
    except (RuntimeError, decord.DECORDError):
        return False
    with _capture(Path(path)) as capture:
        capture.grab()
        first = _retrieve(capture, _lost(path, 0, num_frames))
    if len(reader) != num_frames or frame.shape != first.shape:
        return False
    return float(cv2.absdiff(frame, first).mean()) < _SAME_PICTURE


def _packet_times(path: Path) -> Times | None:
    """Times of the packets in rising order, which takes no decoding; None if they may not be those of the frames.

    They are if they are evenly spaced, so that no packet is hidden, and if decoding the beginning and the end of the
    video gives the same times.
    """
    with _capture(path, cv2.CAP_PROP_FORMAT, -1) as capture:
        times = np.sort(np.fromiter(_moments(capture), np.float64))
    if len(times) < 2 or np.ptp(np.diff(times)) > _ROUNDING:
        return None
    with _capture(path) as capture:
        head = list(islice(_moments(capture), _PROBE_FRAMES))
        capture.set(cv2.CAP_PROP_POS_MSEC, times[-1])
        tail = list(_moments(capture))
    same = tail and np.array_equal(head, times[:_PROBE_FRAMES]) and np.array_equal(tail, times[-len(tail) :])
    return times if same else None


def _moments(capture: cv2.VideoCapture, tell: bool = True) -> Iterator[float]:
    """Step from frame to frame (or packet): the time of each in milliseconds, or its number where times do not tell.

    A damaged frame counts as no number. It ends nothing, unlike the end.
    """
    number = 0
    while (failures := next((n for n in range(_LOST_IN_A_ROW + 1) if capture.grab()), None)) is not None:
        yield from [math.nan] * failures
        number += failures
        yield capture.get(cv2.CAP_PROP_POS_MSEC) if tell else float(number)
        number += 1


def _lost(path: str | Path, number: int, num_frames: int | None = None) -> str:
    total = "" if num_frames is None else f" of {num_frames}"
    return f"{path}: frame {number + 1}{total} cannot be decoded; the video is damaged, get it anew"


@contextmanager
def _capture(path: Path, *properties: int) -> Iterator[cv2.VideoCapture]:
    with path.open("rb") as file:
        if b"\0" not in file.read(_TEXT_PROBE_BYTES):  # FFmpeg would draw the letters of a text as frames
            raise ValueError(f"{path}: not a video but a text or an empty file; get it again, as mp4, avi, ...")
    capture = open_capture(path, *properties)
    try:
        if not capture.isOpened():
            raise ValueError(
                f"{path}: cannot be opened as a video, it is damaged or of an unknown format; get it again"
            )
        yield capture
    finally:
        capture.release()


def _retrieve(capture: cv2.VideoCapture, complaint: str) -> Frames:
    done, frame = capture.retrieve()
    if not done:
        raise ValueError(complaint)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
