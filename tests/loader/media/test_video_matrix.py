from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.loader.media.video_file import VideoFile
from tests.media_matrix import Cell, cells, check, run, write

QUICK = {"h264", "mpeg4", "xvid", "mpeg1", "mpeg2", "mjpeg", "wmv2", "flv1", "ffv1", "theora", "huffyuv", "vp8", "gif"}
SLOW_ONCE = [Cell("mp4", "hevc", "open GOP"), Cell("webm", "vp9", "plain"), Cell("mp4", "av1", "plain")]
CELLS = [cell for cell in cells() if cell.codec in QUICK and cell.suffix not in ("mov", "m2ts", "vob")] + SLOW_ONCE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_frames_by_number_in_order_and_of_ffmpeg_are_the_same(folder: Path, cell: Cell) -> None:
    outcome = check(cell, write(cell, folder))
    assert outcome == "right" or (cell.kind == "cut tail" and cell.suffix in ("mp4", "3gp", "m4v"))


def test_a_cover_picture_is_not_the_video(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "cover.png"), np.zeros((50, 50, 3), np.uint8))
    video = write(Cell("mp4", "h264", "B-frames"), tmp_path)
    path = tmp_path / "cover.mp4"
    inputs = ["-i", tmp_path / "cover.png", "-i", video]
    run([*inputs, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", path])
    assert (VideoFile(path).size, len(VideoFile(path))) == ((48, 64), 48)


def avi(frames: list[bytes], width: int, height: int) -> bytes:
    """An AVI file of JPEG pictures that need not have the size it claims."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    count = len(frames)
    head = struct.pack("<14I", 40000, 0, 0, 0, count, 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<IHHIIIIIIIIhhhh", 0, 0, 0, 0, 1, 25, 0, count, 0, 0, 0, 0, 0, width, height)
    picture = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    streams = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", picture))
    lists = chunk(b"LIST", b"hdrl" + chunk(b"avih", head) + streams)
    return chunk(b"RIFF", b"AVI " + lists + chunk(b"LIST", b"movi" + b"".join(chunk(b"00dc", f) for f in frames)))


def jpeg(height: int, width: int) -> bytes:
    picture = np.full((height, width, 3), 128, np.uint8)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 5])[1].tobytes()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ((96, 128), "frame 4 is 128x96, but the first one is 64x64"),
        ((8200, 8200), "frame 4 has more than 67108864"),
    ],
)
def test_a_frame_of_another_size_is_refused(tmp_path: Path, size: tuple[int, int], text: str) -> None:
    path = tmp_path / "a.avi"
    small = jpeg(64, 64)
    path.write_bytes(avi([small] * 3 + [jpeg(*size)] + [small] * 3, 64, 64))
    with pytest.raises(ValueError, match=text):
        list(VideoFile(path).timed())
    assert VideoFile(path).read(np.array([1])).shape == (1, 64, 64, 3)


def test_a_first_frame_above_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(avi([jpeg(8200, 8200)] * 2, 64, 64))
    with pytest.raises(
        ValueError, match=r"a\.avi: no frame can be decoded, its frames are larger than 67108864 pixels"
    ):
        VideoFile(path)


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:1.2,\n{}\n#EXT-X-ENDLIST\n#\0\n",
    "concat": "ffconcat version 1.0\nfile {}\n#\0\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n\0",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" ><Period><BaseURL>{}</BaseURL>'
    "</Period></MPD>\0",
}


@pytest.mark.parametrize("name", ["x.mp4", "x.m3u8", "x.mpd", "x.ts"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_is_no_video(tmp_path: Path, kind: str, name: str) -> None:
    write(Cell("ts", "mpeg2", "plain"), tmp_path)
    path = tmp_path / name
    path.write_text(PLAYLISTS[kind].format("mpeg2-plain.ts"))
    with pytest.raises(ValueError, match=rf"{name}: cannot be opened as a video"):
        VideoFile(path)


def test_an_unknown_codec_is_named_with_a_remedy(tmp_path: Path) -> None:
    path = write(Cell("mp4", "h264", "plain"), tmp_path)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyzw"))
    with pytest.raises(ValueError, match=r"no decoder here for its codec, xyzw.*ffmpeg -i IN -c:v libx264 OUT"):
        VideoFile(path)


def test_a_giant_file_of_holes_is_refused(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.ts", "a.m4v"):
        path = tmp_path / name
        with path.open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(ValueError, match=name):
            VideoFile(path)
