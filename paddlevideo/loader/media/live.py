"""Frames as they come, with their times: of stored videos, cameras and network streams."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import cv2
import numpy as np

from paddlevideo.loader.media.find import find_sources
from paddlevideo.loader.media.frame_source import DEFAULT_FPS, FrameSource
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.types import Frames
from paddlevideo.utils.http import Deadline, open_url, request_of, without_secrets
from paddlevideo.utils.logging import logger
from paddlevideo.utils.names import check_text, output_name

MOST_CAMERAS = 9999
LONGEST_NAME = 60  # letters of an address in the names of files, which may have 255 bytes
PROBE_SECONDS = 3.0  # that a server is asked for the length, or the first bytes, of what it has
PROBE_BYTES = 1 << 16
PARTIAL_CONTENT = 206  # answer of a server
PLAYLISTS = (".m3u8", ".mpd")
SCHEMES = ("http", "https", "rtmp", "rtsp", "rtsps", "srt", "tcp", "udp")


class TimedFrame(NamedTuple):
    """A frame `[H, W, 3]`, RGB, and its time in seconds from any moment."""

    time: float
    picture: Frames


class Source(Protocol):
    """What a user wants answers about."""

    name: str  # for the files about it
    path: Path | None  # of a stored one

    @property
    def length(self) -> int | None:
        """How many samples there should be, if anything says so."""

    def close(self) -> None:
        """Let whoever reads it, maybe in another thread, end soon."""


class FrameStream(Source, Protocol):
    """Frames in order, iterated once; `length` counts them."""

    @property
    def fps(self) -> float:
        """Frames a second, about."""

    def __iter__(self) -> Iterator[TimedFrame]:
        """The frames; their sizes may differ."""


class StoredStream:
    """A video file or a folder of numbered pictures, opened when it is first asked for anything but its name.

    Args:
        path: the file or folder.
        paced: whether a frame comes at its time and not earlier, as if the video were filmed now.
    """

    def __init__(self, path: Path, paced: bool = False) -> None:
        self.path: Path | None = path
        self.name = output_name(path.resolve().name if path.is_dir() else path.stem)
        self.paced = paced
        self._closed = threading.Event()

    @cached_property
    def _source(self) -> FrameSource:
        assert self.path is not None
        return open_source(self.path)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self._source.fps

    @property
    def length(self) -> int | None:
        """What the file says of its length, which may be wrong."""
        return self._source.claimed_length

    def __iter__(self) -> Iterator[TimedFrame]:
        """The frames.

        Raises:
            FileNotFoundError: a picture has gone.
            ValueError: a frame cannot be decoded.
        """
        start = time.monotonic()
        for seconds, picture in self._source.timed():
            if self.paced:
                self._closed.wait(max(0.0, start + seconds - time.monotonic()))
            if self._closed.is_set():
                return
            yield TimedFrame(seconds, picture)

    def close(self) -> None:
        """End the iteration, also while the time of a frame is waited for."""
        self._closed.set()


@dataclass(frozen=True)
class Connection:
    """How long a camera or network stream is waited for.

    Args:
        timeout: seconds to open it, and seconds without a frame after which it is taken for broken.
        attempts: how often in a row it is opened again without getting a frame; then it is given up.
        first_wait: seconds before the first of them; each wait is twice the one before.
        longest_wait: seconds that no wait exceeds.

    Raises:
        ValueError: a number that cannot be.
    """

    timeout: float = 10.0
    attempts: int = 8
    first_wait: float = 1.0
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.timeout < math.inf or self.attempts < 0:
            raise ValueError(
                f"expected a timeout above 0 and no negative number of reconnections, got {self.timeout:g} and "
                f"{self.attempts}"
            )


class LiveStream:
    """A camera, or an address such as `rtsp://host/path`; it is opened again when it breaks.

    Times are those of arrival. An address whose content has a length is a stored video: its times are its own, its end
    is the end, and frames that were seen before it broke are skipped. If its container does not tell how many frames
    there are, its end looks like a break: the end is where another connection comes no further.

    Args:
        address: number of a camera, or a URL of one of `SCHEMES`.
        connection: how long it is waited for.

    Raises:
        ConnectionError: it cannot be opened.
    """

    path: Path | None = None

    def __init__(self, address: int | str, connection: Connection) -> None:
        self.address, self.connection = address, connection
        self._closed = threading.Event()
        self.title = f"camera {address}" if isinstance(address, int) else without_secrets(address)
        self.name = re.sub(r"[^\w.-]+", "_", self.title.partition("://")[2] or self.title)[:LONGEST_NAME].strip("_")
        stored = isinstance(address, str) and _is_stored(address, connection.timeout)
        capture = self._open()
        if capture is None:
            raise ConnectionError(f"{self.title}: cannot be opened; {self._advice()}")
        self._capture: cv2.VideoCapture | None = capture
        fps, length = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.fps = fps if 0 < fps <= 240 else DEFAULT_FPS
        self.length = int(length) if isinstance(address, str) and 0 < length < math.inf else None
        self._stored = stored or self.length is not None
        self._passed = 0  # frames of the latest connection

    def __iter__(self) -> Iterator[TimedFrame]:
        """The frames.

        Raises:
            ConnectionError: it broke and could not be opened again.
        """
        start, seen, failures = time.monotonic(), 0, 0
        while True:
            before = seen
            for frame in self._frames(start, skip=seen if self._stored else 0):
                seen += 1
                yield frame
            if self._closed.is_set() or (self.length is not None and seen >= self.length):
                return
            if self._stored and 0 < seen == before == self._passed:
                return
            failures = 1 if seen > before else failures + 1
            self._wait(seen, failures)
            self._capture = None if self._closed.is_set() else self._open()

    def close(self) -> None:
        """End the iteration; a frame that is waited for may take until the timeout."""
        self._closed.set()

    def _frames(self, start: float, skip: int) -> Iterator[TimedFrame]:
        """The frames of one connection, without the first `skip`."""
        capture, self._capture, self._passed = self._capture, None, 0
        if capture is None:
            return
        try:
            for number in count():
                if self._closed.is_set() or not capture.grab():
                    return
                if number < skip:
                    self._passed = number + 1
                    continue
                done, frame = capture.retrieve()
                if not done:
                    return
                self._passed = number + 1
                media = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                now = media if self._stored else time.monotonic() - start
                yield TimedFrame(now, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
        finally:
            capture.release()

    def _wait(self, seen: int, failures: int) -> None:
        """Tell that the stream broke, and let time pass.

        Raises:
            ConnectionError: it broke too often.
        """
        attempts = self.connection.attempts
        if failures > attempts:
            raise ConnectionError(
                f"{self.title}: no frame after number {seen}, and none after connecting again {attempts} times; "
                f"{self._advice()}"
            )
        wait = min(self.connection.first_wait * 2 ** (failures - 1), self.connection.longest_wait)
        logger.warning(
            "%s: no frame after number %d; connecting again in %g s (%d of %d)",
            *(self.title, seen, wait, failures, attempts),
        )
        self._closed.wait(wait)

    def _open(self) -> cv2.VideoCapture | None:
        if isinstance(self.address, int):
            capture = cv2.VideoCapture(self.address)
        else:
            limit = round(1000 * self.connection.timeout)
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit]
            capture = cv2.VideoCapture(self.address, cv2.CAP_FFMPEG, limits)
        if capture.isOpened():
            return capture
        capture.release()
        return None

    def _advice(self) -> str:
        if isinstance(self.address, str):
            hint = " (in a user or password, write / ? # @ as %2F %3F %23 %40)" if "@" in self.address else ""
            return f"check the address{hint}, and that it plays in another program"
        found = sorted(path.name for path in Path("/dev").glob("video*"))
        return f"check that it is plugged in and free; on Linux cameras are /dev/videoN, here: {found or 'none'}"


def open_streams(text: str, connection: Connection, realtime: bool = False) -> list[FrameStream]:
    """The streams that a user means.

    Args:
        text: number of a camera, a URL, or what `find_sources` takes.
        connection: how long cameras and URLs are waited for.
        realtime: whether stored videos are played at their speed.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: a URL of an unknown scheme, a number that no camera has, or nothing named.
        ConnectionError: a camera or URL cannot be opened.
    """
    if re.fullmatch(r"[0-9]+", text):
        if int(text) > MOST_CAMERAS:
            raise ValueError(f"{text}: expected the number of a camera, 0 to {MOST_CAMERAS}; a file is ./{text}")
        return [LiveStream(int(text), connection)]
    if "://" not in text:
        return [StoredStream(path, realtime) for path in find_sources(text)]
    check_text(text, "address", "write other characters as %E9 and so on")
    try:
        scheme = urlsplit(text).scheme
    except ValueError as error:
        raise ValueError(f"{without_secrets(text)}: not an address: {error}") from error
    if scheme not in SCHEMES:
        raise ValueError(f"{without_secrets(text)}: expected one of {', '.join(f'{name}://' for name in SCHEMES)}")
    return [LiveStream(text, connection)]


def _is_stored(address: str, timeout: float) -> bool:
    """Whether a server of HTTP has a file with an end; no for playlists, which are short themselves."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or parts.path.endswith(PLAYLISTS):
        return False
    seconds = min(timeout, PROBE_SECONDS)
    known = _says_length(address, seconds)
    if known is not None:
        return known
    first = _beginning(address, seconds)  # not all servers answer HEAD, or know a length
    return first is not None and (first.has_length or first == _beginning(address, seconds))


def _says_length(address: str, seconds: float) -> bool | None:
    """Whether the header of an address has a length; None if the server does not answer HEAD or has none."""
    url, headers = request_of(address)
    try:
        with Deadline(seconds) as deadline, open_url(url, headers, deadline, seconds, "HEAD") as answer:
            kind = answer.headers.get_content_type()
            if _is_live_kind(kind):
                return False
            return True if "Content-Length" in answer.headers else None
    except (OSError, ValueError, HTTPException):
        return None


def _is_live_kind(kind: str) -> bool:
    return "mpegurl" in kind or "dash" in kind or kind.startswith("multipart/")


class _Beginning(NamedTuple):
    """The first bytes behind an address, and whether the server says how many there are in all."""

    data: bytes
    has_length: bool


def _beginning(address: str, seconds: float) -> _Beginning | None:
    """The first `PROBE_BYTES` of an address; None for a live stream, or if they do not come in time.

    A stored file is sent as fast as the line is and is the same each time, a live stream is neither.
    """
    url, headers = request_of(address)
    headers |= {"Range": f"bytes=0-{PROBE_BYTES - 1}"}
    try:
        with Deadline(seconds) as deadline, open_url(url, headers, deadline, seconds) as answer:
            kind = answer.headers.get_content_type()
            if _is_live_kind(kind):
                return None
            if "Content-Length" in answer.headers:
                return _Beginning(b"", True)
            data = answer.read(PROBE_BYTES)
            return None if deadline.expired else _Beginning(data, answer.status == PARTIAL_CONTENT)
    except (OSError, ValueError, HTTPException):
        return None
