"""Kind, size and end of a picture from its bytes."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from paddlevideo.loader.media.picture_header import MAX_SCANS, PictureHeader, read_picture_header

PLAIN = np.zeros((300, 517, 3), np.uint8)
REMARK = b"\xff\xfe\x00\x06more"
THUMBNAIL = (
    b"\xff\xe1\x00\x13\xff\xd8\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00"  # APP1 with a small SOF in it
)


def jpeg(picture: np.ndarray = PLAIN, progressive: int = 0, restart: int = 0) -> bytes:
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


def png(picture: np.ndarray = PLAIN) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize(
    "before", [b"", REMARK, REMARK + b"\xff\xff", THUMBNAIL], ids=["nothing", "remark", "fill", "thumbnail"]
)
def test_a_jpeg_is_read_to_its_end(progressive: int, before: bytes) -> None:
    data = jpeg(progressive=progressive)
    data = data[:2] + before + data[2:]
    for after in (b"", bytes(16), b"SEFH trailer", data):
        assert read_picture_header(data + after) == PictureHeader("JPEG", 300, 517, len(data))


def test_restart_markers_and_stuffed_bytes_belong_to_the_picture() -> None:
    data = jpeg(np.random.default_rng(1).integers(0, 256, (64, 80, 3), np.uint8), restart=1)
    assert b"\xff\xd3" in data and b"\xff\x00" in data
    assert read_picture_header(data) == PictureHeader("JPEG", 64, 80, len(data))


def test_a_png_is_read_to_its_end() -> None:
    data = png()
    for after in (b"", bytes(16), data):
        assert read_picture_header(data + after) == PictureHeader("PNG", 300, 517, len(data))


@pytest.mark.parametrize("data", [jpeg(PLAIN[:16, :16]), png(PLAIN[:16, :16])], ids=["jpeg", "png"])
def test_a_picture_that_is_cut_anywhere_is_refused(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"not a complete|expected a (JPEG or )?PNG picture"):
            read_picture_header(data[:length])


KINDS = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC7: "lossless",
    0xC8: "of unknown meaning",
    0xC9: "arithmetic coding",
}
KINDS |= {0xCA: "arithmetic coding", 0xCB: "lossless", 0xCD: "hierarchical"}


@pytest.mark.parametrize("marker", KINDS)
def test_another_kind_of_jpeg_is_refused_whatever_follows(marker: int) -> None:
    data = jpeg().replace(b"\xff\xc0", bytes([0xFF, marker]), 1)
    small = b"\xff\xc0\x00\x0b\x08\x00\x30\x00\x40\x01\x01\x11\x00"
    for bad in (data, data[:-2] + small + data[-2:]):
        with pytest.raises(
            ValueError, match=f"baseline or progressive JPEG, got marker FF{marker:02X} .{KINDS[marker]}"
        ):
            read_picture_header(bad)


def with_frame_header(place: int, replacement: bytes) -> bytes:
    """A JPEG with other bytes at a place of its frame header, counted from the marker."""
    data = bytearray(jpeg())
    start = data.index(b"\xff\xc0") + place
    data[start : start + len(replacement)] = replacement
    return bytes(data)


def second_frame_header() -> bytes:
    data = jpeg()
    header = data[data.index(b"\xff\xc0") :][:19]
    return data[:-2] + header + data[-2:]


def many_scans() -> bytes:
    data = jpeg(progressive=1)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + MAX_SCANS * scan + data[-2:]


BAD = {
    "height told later": (with_frame_header(5, b"\0\0"), "says its size, got 517x0"),
    "no width": (with_frame_header(7, b"\0\0"), "says its size, got 0x300"),
    "12 bits": (with_frame_header(4, b"\x0c"), "JPEG of 8 bits, got 12"),
    "components": (with_frame_header(9, b"\x09"), "damaged frame header"),
    "segment too long": (with_frame_header(2, b"\xff\xff"), "segment reaches to byte"),
    "two frame headers": (second_frame_header(), "two frame headers"),
    "lines told later": (jpeg()[:-2] + b"\xff\xdc\x00\x04\x40\x00\xff\xd9", "a height that follows"),
    "two starts": (jpeg()[:2] + jpeg(), "expected a baseline|segment reaches"),
    "no picture": (b"\xff\xd8\xff\xd9", "without a picture"),
    "scan first": (b"\xff\xd8\xff\xda\x00\x02\xff\xd9", "scans after its frame header"),
    "many scans": (many_scans(), f"1 to {MAX_SCANS} scans"),
    "animated": (png()[:33] + chunk(b"acTL", bytes(8)) + png()[33:], "animated"),
    "two headers": (png()[:33] + png()[8:33] + png()[33:], "one header"),
    "header later": (png()[:8] + chunk(b"tEXt", b"a\0b") + png()[8:], "comes first"),
    "no size": (png()[:8] + chunk(b"IHDR", bytes(13)) + png()[33:], "says its size"),
    "nothing": (b"", "got 0 other bytes"),
    "gif": (b"GIF89a" + bytes(20), "got 26 other bytes"),
}


@pytest.mark.parametrize(("data", "complaint"), BAD.values(), ids=BAD)
def test_a_header_that_decoders_could_read_differently_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_picture_header(data)
