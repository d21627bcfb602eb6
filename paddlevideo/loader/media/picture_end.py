"""Where the data of a JPEG or PNG picture end, whatever follows them in the file."""

from __future__ import annotations

import re

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"  # first bytes
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # of JPEG; neither a stuffed byte nor a restart
_END, _ALONE = 0xD9, (0x01, 0xD8)  # markers; the latter have no segment


def picture_end(data: bytes) -> int | None:
    """Bytes of the first picture in the content of a JPEG or PNG file; None if it is neither, or cut off.

    Phones and cameras write more behind it: padding, a video, further pictures.
    """
    if data.startswith(_JPEG):
        return _jpeg_end(data)
    return _png_end(data) if data.startswith(_PNG) else None


def _jpeg_end(data: bytes) -> int | None:
    """Steps from marker to marker, over segments with what is in them, such as a preview, and through coded data."""
    place = len(_JPEG)
    while found := _MARKER.search(data, place):
        kind, place = found[1][0], found.end()
        if kind == _END:
            return place
        if kind not in _ALONE:
            place += int.from_bytes(data[place : place + 2], "big")
    return None


def _png_end(data: bytes) -> int | None:
    place = len(_PNG)
    while place < len(data):
        length, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        place += 12 + length  # with length, name and check sum
        if name == b"IEND":
            return place if place <= len(data) else None
    return None
