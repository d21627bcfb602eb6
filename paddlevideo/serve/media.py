"""What browsers send, and what of it is let through to a decoder."""

from __future__ import annotations

import re
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from paddlevideo.loader.media.frame_folder import decode_picture
from paddlevideo.loader.media.frame_source import DEFAULT_FPS
from paddlevideo.loader.media.live import FrameStream, TimedFrame
from paddlevideo.loader.media.video_file import claimed_size
from paddlevideo.types import Frames

MAX_PIXELS = 3840 * 2160
WAITING_PICTURES = 4  # of a camera that wait to be decoded
_START_BYTES = 189
_VIDEO_START = re.compile(  # playlists name other files, which would be opened, so only these are let through
    rb"....(?:ftyp|moov|mdat|wide|free|skip)"  # mp4, mov
    rb"|\x1aE\xdf\xa3"  # Matroska, WebM
    rb"|RIFF....AVI |OggS|FLV\x01"
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11"  # ASF, WMV
    rb"|\0\0\x01[\0\xb0\xb3\xb5\xb6\xba]|\0\0\0\x01"  # MPEG streams and elementary streams
    rb"|G.{187}G",  # MPEG transport stream
    re.DOTALL,
)
_SIZE_MARKERS = {0xC0, 0xC1, 0xC2}  # of a JPEG: baseline, extended, progressive
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}  # markers without a segment


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


def read_jpeg(data: bytes) -> Frames:
    """The picture `[H, W, 3]` of the content of a JPEG file; its size is checked before it is decoded.

    Raises:
        ValueError: not a complete JPEG picture, or too large a one.
    """
    size = jpeg_size(data)
    if size is None:
        raise ValueError(f"picture of the camera: expected a JPEG picture, got {len(data)} other bytes")
    check_pixels(*size, "picture of the camera")
    return decode_picture(data, "picture of the camera", "send it whole")


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width that the head of a JPEG file tells; None if it is not one."""
    place = 2 if data[:2] == b"\xff\xd8" else len(data)
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return height, width
        if marker == 0xFF:  # fills a gap
            place += 1
        else:
            place += 2 if marker in _NO_LENGTH else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def check_video(path: Path) -> None:
    """Check that a file is a video with frames of a size that can be dealt with, before one of them is decoded.

    Raises:
        ValueError: it is not.
    """
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if not _VIDEO_START.match(start):
        raise ValueError("not a video; expected mp4, mov, webm, mkv, avi, mpeg, ogg, flv or wmv")
    check_pixels(*claimed_size(path), "video")


def check_pixels(height: int, width: int, what: str) -> None:
    """Refuse frames that would take too much memory.

    Raises:
        ValueError: too many pixels, or none.
    """
    if not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"{what}: expected frames of 1 to {MAX_PIXELS} pixels, got {width}x{height}; make it smaller")
