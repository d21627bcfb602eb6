"""Kind, size and end of a JPEG or PNG picture, read from its bytes before anything is decoded."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

MAX_SCANS = 100  # of a progressive JPEG, which has about 10; each of them costs a pass over the whole picture
JPEG_START, PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"

# As in libjpeg, fill bytes and compressed data before a marker are skipped, and so are restart markers in such data.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_WITHOUT_SEGMENT, _END, _SCAN = 0x01, 0xD9, 0xDA  # TEM, EOI, SOS
_FRAMES = {0xC0, 0xC1, 0xC2}  # SOF of baseline, extended (of 8 bits read like baseline) and progressive JPEG
_SKIPPED = {0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # DHT, DQT, DRI, COM, APP0 to APP15 with their thumbnails
_REFUSED = {
    **dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF), "lossless"),
    **dict.fromkeys((0xC5, 0xC6, 0xCD, 0xCE, 0xDE, 0xDF), "hierarchical"),
    **dict.fromkeys((0xC9, 0xCA, 0xCC), "arithmetic coding"),
    0xDC: "a height that follows the first scan",
}


class PictureHeader(NamedTuple):
    """What the header of a picture says.

    Attributes:
        kind: `JPEG` or `PNG`.
        height: in pixels, as stored: an EXIF orientation may exchange it with the width.
        width: in pixels.
        end: offset of the first byte after the picture; what follows is not part of it.
    """

    kind: str
    height: int
    width: int
    end: int


def read_picture_header(data: bytes) -> PictureHeader:
    """The header of a complete picture, as the decoder will read it.

    Args:
        data: content of a file, from the first byte.

    Raises:
        ValueError: not a complete baseline or progressive JPEG of 8 bits and not a complete PNG. The message does not
            say where the picture is from.
    """
    if data.startswith(JPEG_START):
        return _jpeg_header(data)
    if data.startswith(PNG_START):
        return _png_header(data)
    raise ValueError(f"expected a JPEG or PNG picture, got {len(data)} other bytes")


def _jpeg_header(data: bytes) -> PictureHeader:
    size, scans, place = None, 0, len(JPEG_START)
    while match := _MARKER.search(data, place):
        marker, place = match[1][0], match.end()
        if marker == _WITHOUT_SEGMENT:
            continue
        if marker == _END:
            if size is None or not scans:
                raise ValueError("a JPEG without a picture")
            return PictureHeader("JPEG", *size, place)
        segment, place = _jpeg_segment(data, place)
        if marker in _FRAMES:
            if size is not None:
                raise ValueError("a JPEG with two frame headers (SOF)")
            size = _frame_size(segment)
        elif marker == _SCAN:
            scans += 1
            if size is None or scans > MAX_SCANS:
                raise ValueError(f"expected a JPEG with 1 to {MAX_SCANS} scans after its frame header (SOF)")
        elif marker not in _SKIPPED:
            raise ValueError(f"expected a baseline or progressive JPEG, got {_spell(marker)}")
    raise ValueError(f"not a complete JPEG picture: {len(data)} bytes without its end")


def _jpeg_segment(data: bytes, place: int) -> tuple[bytes, int]:
    """The content of the segment whose length is at `place`, and where it ends."""
    end = place + int.from_bytes(data[place : place + 2], "big")
    if not place + 2 <= end <= len(data):
        raise ValueError(f"not a complete JPEG picture: a segment reaches to byte {end} of {len(data)}")
    return data[place + 2 : end], end


def _frame_size(segment: bytes) -> tuple[int, int]:
    """Height and width from the content of a frame header."""
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        raise ValueError("a JPEG with a damaged frame header (SOF)")
    bits, height, width = struct.unpack_from(">BHH", segment)
    if bits != 8:
        raise ValueError(f"expected a JPEG of 8 bits, got {bits} bits")
    return _checked_size("JPEG", height, width)  # a height of 0 would be told after the first scan (DNL)


def _spell(marker: int) -> str:
    return f"marker FF{marker:02X} ({_REFUSED.get(marker, 'of unknown meaning')})"


def _png_header(data: bytes) -> PictureHeader:
    size, place = None, len(PNG_START)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if place + 12 + length > len(data):
            break
        if kind == b"IHDR" and size is None and length == 13:
            width, height = struct.unpack_from(">II", data, place + 8)
            size = _checked_size("PNG", height, width)
        elif size is None or kind == b"IHDR":
            raise ValueError("expected a PNG picture with one header (IHDR), which comes first")
        elif kind == b"acTL":
            raise ValueError("expected a PNG of one picture, got an animated one (APNG)")
        place += 12 + length
        if kind == b"IEND":
            return PictureHeader("PNG", *size, place)
    raise ValueError(f"not a complete PNG picture: {len(data)} bytes without its end")


def _checked_size(kind: str, height: int, width: int) -> tuple[int, int]:
    if not height or not width:
        raise ValueError(f"expected a {kind} whose header says its size, got {width}x{height}")
    return height, width
