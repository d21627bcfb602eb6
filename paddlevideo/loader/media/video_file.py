"""Frames from video files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from paddlevideo.loader.media.container import MAX_PIXELS, OpenVideo, open_video
from paddlevideo.loader.media.frame_index import PROBE_FRAMES, FrameIndex, LostFrameError, build_index, keys_hold
from paddlevideo.loader.media.frame_source import DEFAULT_FPS, FrameSource
from paddlevideo.types import Frames

_ROUGHLY = 0.05  # difference of two rates that may come from rounded times
_ROUNDING = 1.5e-3  # seconds by which distances between evenly spaced frames differ, as some files round times


def claimed_size(path: Path) -> tuple[int, int]:
    """Height and width that a video file says its frames have.

    Raises:
        ValueError: not a video, or one of frames that are too large.
    """
    with open_video(path) as video:
        return video.stream.height, video.stream.width


class VideoFile(FrameSource):
    """A video, decoded with one thread: clips are short, and workers share the cores.

    Frames are known by the packets they are decoded from, so every frame that is read by number is the one that reading
    in order gives, whatever the container says about times. Decoding begins at a key frame if that was compared with
    decoding from further back. A process remembers what it found out about a file. No file is held open between
    calls, so an object may be used after a fork.

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
        measured = _head(*self._version).fps
        if measured is None or abs(measured / self._claimed_fps - 1) < _ROUGHLY:
            return self._claimed_fps
        return measured

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame in pixels."""
        return self._size

    def __len__(self) -> int:
        """How many frames can be decoded."""
        return len(self._index)

    @property
    def _index(self) -> FrameIndex:
        try:
            return _index(*self._version)
        except LostFrameError as error:
            raise ValueError(self._complaint(error)) from None

    def decode(self, numbers: Sequence[int], seek: bool = True) -> Iterator[Frames]:
        """See `FrameSource`."""
        index = self._index
        place = index.place_before(numbers[0]) if seek else None
        if place is not None and place.packet > 0 and not _keys_hold(*self._version):
            place = None
        done = 0
        with open_video(self.path) as video:
            try:
                for frame in index.decode(video, place, numbers):
                    yield self._picture(video, frame, numbers[done])
                    done += 1
                return
            except LostFrameError as error:
                if place is None or place.packet == 0:
                    raise ValueError(self._complaint(error, len(index))) from None
        yield from self.decode(numbers[done:], seek=False)  # what is concealed depends on all that was decoded before

    def damages(self) -> Iterator[str]:
        """See `FrameSource`; what follows the first damage is not looked at."""
        try:
            for _ in self.frames():
                pass
        except ValueError as error:
            yield str(error)

    def timed(self) -> Iterator[tuple[float, Frames]]:
        """See `FrameSource`."""
        times = None if _head(*self._version).times_rise else self._index.times
        lost: tuple[float, LostFrameError] | None = None
        start, count = 0.0, 0
        with open_video(self.path) as video:
            for decoded in video.frames():
                if decoded.frame is None:
                    lost = lost or ((decoded.place, LostFrameError(count, decoded.too_large)) if count else None)
                    continue
                if lost is not None and decoded.place > lost[0]:
                    raise ValueError(self._complaint(lost[1]))
                seconds = decoded.time if times is None else float(times[count])
                if seconds is None or math.isnan(seconds):
                    seconds = start + count / self.fps
                start = start if count else seconds
                yield seconds - start, self._picture(video, decoded.frame, count)
                count += 1

    def _picture(self, video: OpenVideo, frame: av.VideoFrame, number: int) -> Frames:
        try:
            picture = video.picture(frame)
        except av.FFmpegError as error:
            kind = "interlaced " if frame.interlaced_frame else ""
            raise ValueError(
                f"{self.path}: frame {number + 1}, {kind}{frame.format.name}, cannot be converted to RGB; convert the "
                "video with ffmpeg -i IN -vf yadif -c:v libx264 OUT.mp4"
            ) from error
        if picture.shape[:2] != self._size:
            raise ValueError(
                f"{self.path}: frame {number + 1} is {_spell(picture.shape)}, but the first one is "
                f"{_spell(self._size)}; all frames of a video should have one size"
            )
        return picture

    def _complaint(self, error: LostFrameError, num_frames: int | None = None) -> str:
        total = "" if num_frames is None else f" of {num_frames}"
        if error.too_large:
            return (
                f"{self.path}: frame {error.number + 1}{total} has more than {MAX_PIXELS} pixels, but the first one is "
                f"{_spell(self._size)}; all frames of a video should have one size"
            )
        return f"{self.path}: frame {error.number + 1}{total} cannot be decoded; the video is damaged, get it anew"


class _Head(NamedTuple):
    """The times of the first frames of a video."""

    fps: float | None  # if they come evenly
    times_rise: bool


@cache
def _properties(path: str, mtime: int, num_bytes: int) -> tuple[tuple[int, int], float, int | None]:
    """Height and width in pixels, frames a second and frames, as the file says.

    Its last two arguments only tell versions of a file apart.
    """
    with open_video(Path(path)) as video:
        stream = video.stream
        first = next((decoded for decoded in video.frames() if decoded.frame or decoded.too_large), None)
        if first is None or first.frame is None:
            reason = f"its frames are larger than {MAX_PIXELS} pixels" if first else "the video is empty or damaged"
            raise ValueError(f"{path}: no frame can be decoded, {reason}; get it again")
        height, width = video.picture(first.frame).shape[:2]
        fps = float(stream.guessed_rate or DEFAULT_FPS)
        return (height, width), fps, video.claimed_length


@cache
def _head(path: str, mtime: int, num_bytes: int) -> _Head:
    with open_video(Path(path)) as video:
        shown = (decoded.time for decoded in video.frames() if decoded.frame is not None)
        times = np.array(list(islice(shown, PROBE_FRAMES)), np.float64)  # None becomes nan
    steps = np.diff(times)
    is_even = len(steps) > 1 and np.ptp(steps) <= _ROUNDING and steps.mean() > 0
    return _Head(1 / float(steps.mean()) if is_even else None, bool((steps > 0).all() and not np.isnan(times).any()))


@cache
def _index(path: str, mtime: int, num_bytes: int) -> FrameIndex:
    return build_index(Path(path))


@cache
def _keys_hold(path: str, mtime: int, num_bytes: int) -> bool:
    return keys_hold(Path(path), _index(path, mtime, num_bytes))


def _spell(shape: Sequence[int]) -> str:
    return f"{shape[1]}x{shape[0]}"
