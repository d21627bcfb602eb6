"""What browsers send, and what of it is let through to a decoder."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from paddlevideo.loader.media.containers import PROBE_BYTES, begins_like_video
from paddlevideo.loader.media.frame_folder import decode_picture
from paddlevideo.loader.media.frame_source import DEFAULT_FPS
from paddlevideo.loader.media.live import FrameStream, StoredStream, TimedFrame
from paddlevideo.loader.media.picture_header import JPEG_START, read_picture_header
from paddlevideo.loader.media.video_file import claimed_size
from paddlevideo.types import Frames
from paddlevideo.utils.drawing import encode_picture, fit_picture

MAX_PIXELS = 3840 * 2160
WAITING_PICTURES = 4  # of a camera that wait to be decoded


class CameraStream(FrameStream):
    """Pictures that a browser sends, decoded by whoever iterates; its times are those of arrival.

    When decoding is slower than the camera, the oldest picture that waits is given up and never gets a number.
    """

    name = "camera"
    path = None
    fps = DEFAULT_FPS
    length = None

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=WAITING_PICTURES)
        self._changed = threading.Condition()
        self._closed = False

    def put(self, data: bytes) -> None:
        """Add the content of a JPEG file; never waits."""
        with self._changed:
            self._waiting.append((time.monotonic(), data))
            self._changed.notify()

    def __iter__(self) -> Iterator[TimedFrame]:
        """The frames until the stream is closed.

        Raises:
            ValueError: not a complete JPEG picture, or too large a one.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                arrival, data = self._waiting.popleft()
            yield TimedFrame(arrival, read_jpeg(data))

    def close(self) -> None:
        """End the iteration; what waits is given up."""
        with self._changed:
            self._closed = True
            self._changed.notify()


class UploadedStream(StoredStream):
    """A video that a browser sent; any of its frames may be larger than the file says."""

    def __iter__(self) -> Iterator[TimedFrame]:
        """The frames.

        Raises:
            ValueError: a frame cannot be decoded, or is too large.
        """
        for number, frame in enumerate(super().__iter__(), start=1):
            height, width = frame.picture.shape[:2]
            check_pixels(height, width, f"frame {number} of the video")
            yield frame


def read_jpeg(data: bytes) -> Frames:
    """The picture `[H, W, 3]` of the content of a JPEG file; its size is checked before it is decoded.

    Raises:
        ValueError: not a complete JPEG picture, or too large a one.
    """
    where = "picture of the camera"
    if not data.startswith(JPEG_START):
        raise ValueError(f"{where}: expected a JPEG picture, got {len(data)} other bytes")
    try:
        header = read_picture_header(data)
    except ValueError as error:
        raise ValueError(f"{where}: {error}; send baseline or progressive JPEG pictures, each of them whole") from error
    check_pixels(header.height, header.width, where)
    return decode_picture(data[: header.end], where, "send it whole")


def encode_frame(frame: Frames, limit: int) -> str:
    """A frame `[H, W, 3]` as the content of a JPEG file in base64, made smaller if a side is above `limit` pixels."""
    small = fit_picture(frame, (limit, limit)) if max(frame.shape[:2]) > limit else frame
    return b64encode(encode_picture(small, "jpg")).decode()


def check_video(path: Path) -> None:
    """Check that a file is a video with frames of a size that can be dealt with, before one of them is decoded.

    Raises:
        ValueError: it is not.
    """
    with path.open("rb") as file:
        start = file.read(PROBE_BYTES)
    if not begins_like_video(start):
        raise ValueError("not a video; expected mp4, mov, webm, mkv, avi, mpeg, ts, m2ts, ogg, flv or wmv")
    check_pixels(*claimed_size(path), "video")


def check_pixels(height: int, width: int, what: str) -> None:
    """Refuse frames that would take too much memory.

    Raises:
        ValueError: too many pixels, or none.
    """
    if not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"{what}: expected frames of 1 to {MAX_PIXELS} pixels, got {width}x{height}; make it smaller")
