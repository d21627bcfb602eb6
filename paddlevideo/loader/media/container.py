"""Video files that are open: their packets, and the frames decoded from them."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, dropwhile, islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from paddlevideo.types import Frames

MAX_PIXELS = int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"])  # of a frame; `paddlevideo` sets a default
_MAX_BYTES = 256 << 20  # read without finding a packet; no packet within the limit of pixels is larger
# Demuxers that may read a file, whatever its name: each keeps its frames inside of the file. Formats that name further
# files (playlists, concat scripts, DASH, SDP, numbered pictures) or draw text are not among them.
_FORMATS = (
    "apng,asf,av1,avi,dv,flv,gif,h261,h263,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,mxf,nut,obu,"
    "ogg,rm,vc1,vvc,webm,wtv,yuv4mpegpipe"
)
_CODEC_OPTIONS = {"max_pixels": str(MAX_PIXELS), "threads": "1"}
_HEAD_BYTES = 1 << 16  # no format begins with so many zeros
NO_TIME = -(2**63)
_MAX_WALK = 500  # packets that are read one after the other rather than sought
_MAX_STREAMS = 64  # that are given options before the number of streams is known
_ORIENTATIONS = {  # signs of the display matrix (a, b, c, d): what turns the stored picture into the shown one
    (1, 0, 0, 1): lambda picture: picture,
    (-1, 0, 0, 1): lambda picture: picture[:, ::-1],
    (1, 0, 0, -1): lambda picture: picture[::-1],
    (-1, 0, 0, -1): lambda picture: picture[::-1, ::-1],
    (0, 1, 1, 0): lambda picture: picture.swapaxes(0, 1),
    (0, 1, -1, 0): lambda picture: picture.swapaxes(0, 1)[:, ::-1],
    (0, -1, 1, 0): lambda picture: picture.swapaxes(0, 1)[::-1],
    (0, -1, -1, 0): lambda picture: picture.swapaxes(0, 1)[::-1, ::-1],
}


class Decoded(NamedTuple):
    """What the decoder made of a packet."""

    packet: int  # its number in the file, from 0
    frame: av.VideoFrame | None  # None if the packet is damaged
    time: float | None  # seconds at which it is shown; None if the file does not say
    too_large: bool = False  # whether it is not decoded for its size

    @property
    def place(self) -> float:
        """What orders it among frames that are shown: its time or, where the file does not say, its packet."""
        return self.packet if self.time is None else self.time


class Place(NamedTuple):
    """A packet at which decoding can begin, and how to recognize it."""

    packet: int
    time: int  # what to seek to, in units of the stream's time base, or `NO_TIME`
    checksum: int

    def is_at(self, packet: av.Packet) -> bool:
        """Whether a packet is the one of this place."""
        return packet_time(packet) == self.time and zlib.crc32(packet) == self.checksum


class OpenVideo:
    """An open video file. It must be closed, and never be kept across a fork.

    Packets have a fixed order in the file, and each frame is known by the number of the packet it was decoded from.
    That holds for every container, also where times are missing or seeking by time leads astray.

    Args:
        path: of the file.

    Raises:
        ValueError: not a video, or one that cannot be decoded here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _BoundedFile(path)
        try:
            self._container = _open_container(path, self._file)
            self.stream = _video_stream(path, self._container)
        except BaseException:
            self._file.close()
            raise
        self._reformatter = VideoReformatter()
        self._decoder = self.stream.codec_context
        self._decoder.thread_type = "NONE"
        self._decoder.thread_count = 1
        self._decoder.options = _CODEC_OPTIONS
        if self._decoder.codec.intra_only:  # the rest of a damaged picture would be what the memory had before
            self._decoder.options = {**_CODEC_OPTIONS, "err_detect": "explode"}

    def close(self) -> None:
        """Give everything back."""
        self._container.close()
        self._file.close()

    @property
    def time_base(self) -> Fraction:
        """Seconds that the unit of its times has."""
        return self.stream.time_base or Fraction(1, 1000)

    @property
    def claimed_length(self) -> int | None:
        """How many frames the file says it has, which may be wrong; None if it does not say."""
        if self.stream.frames:
            return int(self.stream.frames)
        if self.stream.duration is not None:
            seconds = float(self.stream.duration * self.time_base)
        else:
            seconds = (self._container.duration or 0) / 1e6  # it counts microseconds
        return round(seconds * float(self.stream.guessed_rate or 0)) or None

    def packets(self) -> Iterator[av.Packet]:
        """All packets of the video stream in the order of the file up to damage of the file, without empty ones."""
        try:
            for packet in self._container.demux(self.stream):
                self._file.left = _MAX_BYTES
                if packet.size:
                    yield packet
        except av.FFmpegError:  # as at its end: what was read so far is whole
            return
        except IndexError:  # PyAV at the end of a file in which streams began that its head does not name
            return

    def frames(self, place: Place | None = None, end: int | None = None) -> Iterator[Decoded]:
        """Decode from a place (the beginning by default) to a packet or the end, in the order of being shown.

        Args:
            place: where to begin.
            end: number of packets that were found before; a file that is being written has more by now.
        """
        times: dict[int, float | None] = {}
        for number, packet in self._packets_from(place):
            if number == end:
                break
            times[number] = None if packet.pts is None else float(packet.pts * self.time_base)
            packet.pts = number  # comes back with the frame
            try:
                frames = self._decoder.decode(packet)
            except av.FFmpegError:
                too_large = self._decoder.width == 0  # which the decoder sets when it refuses a size
                yield Decoded(number, None, times.pop(number), too_large)
                continue
            yield from (_decoded(frame, times) for frame in frames)
        try:
            yield from (_decoded(frame, times) for frame in self._decoder.decode(None))
        except av.FFmpegError:  # of a decoder that could not begin, for which every packet is damaged
            return

    def _packets_from(self, place: Place | None) -> Iterator[tuple[int, av.Packet]]:
        """Numbered packets. A distant place is sought; if its packet is not found there, all before it are read."""
        first = 0 if place is None else place.packet
        if place is not None and place.time != NO_TIME and first > _MAX_WALK:
            self._container.seek(place.time, stream=self.stream)
            near = dropwhile(lambda packet: not place.is_at(packet), islice(self.packets(), _MAX_WALK))
            if (found := next(near, None)) is not None:
                yield from enumerate(chain([found], near, self.packets()), first)
                return
            self._container.seek(0)
        yield from islice(enumerate(self.packets()), first, None)

    def picture(self, frame: av.VideoFrame) -> Frames:
        """A decoded frame as `[H, W, 3]`, RGB, turned as the file asks.

        Raises:
            av.FFmpegError: it cannot be converted.
        """
        converted = self._reformatter.reformat(frame, format="rgb24", interpolation=Interpolation.BICUBIC, threads=1)
        plane = converted.planes[0]
        rows = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : 3 * frame.width]
        picture = rows.reshape(frame.height, frame.width, 3)
        return np.ascontiguousarray(_orientation(frame)(picture))


def _decoded(frame: av.VideoFrame, times: dict[int, float | None]) -> Decoded:
    number = cast(int, frame.pts)
    return Decoded(number, frame, times.pop(number, None))


def packet_time(packet: av.Packet) -> int:
    """What to seek to for a packet: when it is decoded, or else shown, in units of the stream's time base."""
    return next((time for time in (packet.dts, packet.pts) if time is not None), NO_TIME)


@contextmanager
def open_video(path: Path) -> Iterator[OpenVideo]:
    """An `OpenVideo` that is closed at the end; see there for errors."""
    video = OpenVideo(path)
    try:
        yield video
    finally:
        video.close()


class _BoundedFile:
    """What FFmpeg reads a file through, so that it opens no other one and gives a file of holes up.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        if not self._file.read(_HEAD_BYTES).strip(b"\0"):
            self._file.close()
            raise ValueError(
                f"{path}: cannot be opened as a video, it is empty or begins with zeros only; get it again"
            )
        self._file.seek(0)
        self.name = str(path)  # its suffix has a say in what it is taken for
        self.left = _MAX_BYTES  # that may be read before the next packet is found
        self.seek, self.tell, self.close = self._file.seek, self._file.tell, self._file.close

    def read(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            ValueError: too many without a packet among them.
        """
        data = self._file.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise ValueError(
                f"{self.name}: no frame within {_MAX_BYTES >> 20} MB, up to byte {self._file.tell()}; the video is "
                "damaged, get it again"
            )
        return data


def _open_container(path: Path, file: _BoundedFile) -> av.container.InputContainer:
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
    try:
        container = _open_with_limits(file, options)
    except (av.FFmpegError, OSError) as error:
        raise ValueError(
            f"{path}: cannot be opened as a video, it is empty, damaged, a text or playlist, or of an unknown format; "
            "get it again, as mp4, avi, mkv, ..."
        ) from error
    container.flags &= ~int(cast(Any, av.container.Flags.gen_pts).value)  # made-up times are worse than none
    return container


def _open_with_limits(file: _BoundedFile, options: dict[str, str]) -> av.container.InputContainer:
    """Open a file; looking for its properties may decode frames, so the limit of pixels holds there, too."""
    arguments: dict[str, Any] = {"mode": "r", "container_options": options, "metadata_errors": "replace"}
    try:
        return av.open(file, stream_options=cast(Any, [_CODEC_OPTIONS] * _MAX_STREAMS), **arguments)
    except av.FFmpegError:
        raise
    except ValueError:
        if file.left < 0:
            raise
        file.seek(0)  # MPEG streams, whose kinds are known after their properties have been looked for
        return av.open(file, **arguments)


def _video_stream(path: Path, container: av.container.InputContainer) -> av.video.stream.VideoStream:
    """The stream that FFmpeg would take: no cover picture, the default one, the largest one."""
    is_cover = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & is_cover]
    if not streams:
        raise ValueError(f"{path}: no video in this file, only {_kinds(container)}; get another file")
    if not (playable := [stream for stream in streams if stream.codec_context is not None]):
        raise ValueError(
            f"{path}: there is no decoder here for its codec, {_codec_name(path)}, or its head is damaged; convert it "
            "with ffmpeg -i IN -c:v libx264 OUT.mp4"
        )
    default = av.stream.Disposition.default
    stream: av.video.stream.VideoStream = max(
        playable, key=lambda stream: (bool(stream.disposition & default), stream.width * stream.height)
    )
    if stream.width * stream.height > MAX_PIXELS:
        raise ValueError(
            f"{path}: expected frames of at most {MAX_PIXELS} pixels, got {stream.width}x{stream.height}; make it "
            "smaller"
        )
    return stream


def _kinds(container: av.container.InputContainer) -> str:
    found = sorted({"a cover picture" if stream.type == "video" else stream.type for stream in container.streams})
    return ", ".join(found) or "nothing"


def _codec_name(path: Path) -> str:
    """What FFmpeg calls a codec that it cannot decode, which only its log says."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    file = _BoundedFile(path)
    try:
        with av.logging.Capture() as lines:
            _open_container(path, file).close()
    finally:
        file.close()
        av.logging.set_level(level)
    found = (match[1] for _, _, line in lines if (match := re.search(r"Video: (?:none \()?([^,)]+)", line)))
    return next(found, "an unknown one")


def _orientation(frame: av.VideoFrame) -> Callable[[Frames], Frames]:
    """What a display matrix asks for; one that is no multiple of 90 degrees is ignored, as players do."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return _ORIENTATIONS[1, 0, 0, 1]
    a, b, _, c, d = struct.unpack_from("=5i", bytes(cast(Any, matrix)))
    signs = tuple((value > 0) - (value < 0) for value in (a, b, c, d))
    return _ORIENTATIONS.get(signs, _ORIENTATIONS[1, 0, 0, 1])
