"""What is let through to a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.loader.media.containers import VIDEO_SUFFIXES, begins_like_video
from paddlevideo.loader.media.frame_folder import FrameFolder
from paddlevideo.serve.media import UploadedStream, check_video, read_jpeg
from paddlevideo.types import Frames
from tests.tasks.streams import picture, write_video


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_picture_may_have_bytes_after_its_end(progressive: int) -> None:
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    data = cv2.imencode(".jpg", picture(1, (300, 517)), options)[1].tobytes()
    assert read_jpeg(data + b"trailer").shape == (300, 517, 3)


def test_the_size_that_the_decoder_would_use_is_the_one_that_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An arithmetic-coded picture of many pixels, with the header of a small baseline one behind its scan header."""
    data = cv2.imencode(".jpg", np.zeros((4000, 4000), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 10])[1].tobytes()
    scan = data.index(b"\xff\xda")
    large = data[: scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")]
    small = b"\xff\xc0\x00\x0b\x08\x00\x30\x00\x40\x01\x01\x11\x00\xff\xd9"
    monkeypatch.setattr("paddlevideo.serve.media.decode_picture", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match="picture of the camera: expected frames of 1 to 8294400 pixels"):
        read_jpeg(data)
    with pytest.raises(ValueError, match="picture of the camera: expected a baseline or progressive JPEG"):
        read_jpeg(large.replace(b"\xff\xc0", b"\xff\xc9", 1) + small)


def test_a_picture_keeps_its_colours() -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = 200  # OpenCV's last channel
    assert read_jpeg(cv2.imencode(".jpg", red)[1].tobytes())[24, 32] == pytest.approx([200, 0, 0], abs=3)


VIDEOS = [("avi", "MJPG"), ("avi", "XVID"), ("mp4", "mp4v"), ("mov", "mp4v"), ("mkv", "mp4v"), ("webm", "VP80")]
VIDEOS += [("mpg", "PIM1"), ("flv", "FLV1"), ("ts", "MPG2"), ("wmv", "WMV2"), ("m4v", "mp4v")]
VIDEOS += [("m2ts", "MPG2"), ("mts", "MPG2"), ("3gp", "mp4v"), ("mpeg", "PIM1"), ("vob", "PIM1"), ("mxf", "MPG2")]


@pytest.mark.parametrize(("kind", "codec"), VIDEOS)
def test_videos_are_let_through(tmp_path: Path, kind: str, codec: str) -> None:
    video = write_video(tmp_path / f"a.{kind}", 5, codec=codec)
    assert video.stat().st_size > 0
    video.rename(tmp_path / "video")
    check_video(tmp_path / "video")


def test_every_kind_of_video_that_a_folder_may_hold_is_tried() -> None:
    """OpenCV has no encoder for ogv; its start is `OggS`."""
    assert {suffix.lstrip(".") for suffix in VIDEO_SUFFIXES} - {kind for kind, _ in VIDEOS} == {"ogv"}
    assert begins_like_video(b"OggS\0\x02" + bytes(20))


def test_a_transport_stream_with_error_correction_is_let_through() -> None:
    assert begins_like_video(5 * (b"G" + bytes(203)))


TEXT_IN_PACKETS = b"".join(b"G" + text.ljust(187) for text in (b"<MPD profiles='dash:profile:isoff-live:2011'>",) * 5)
PLAYLISTS = [b"#EXTM3U\n", b"ffconcat version 1.0\n", b"<?xml version='1.0'?><MPD>", TEXT_IN_PACKETS]
PLAYLISTS += [
    b"abcdftyp<mpd dash:profile:isoff-live:2011>",
    b"\xef\xbb\xbf#EXTM3U\n",
    b"G" + bytes(187) + b"G" + bytes(187),
]


@pytest.mark.parametrize("start", PLAYLISTS)
def test_playlists_are_refused_also_behind_the_start_of_a_video(start: bytes) -> None:
    assert not begins_like_video((start + b"\0").ljust(2000, b" "))


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "txt"])
def test_what_is_no_video_is_not(tmp_path: Path, kind: str) -> None:
    data = b"#EXTM3U\0" if kind == "txt" else cv2.imencode(f".{kind}", picture(1))[1].tobytes()
    (tmp_path / "video").write_bytes(data)
    with pytest.raises(ValueError, match="not a video; expected mp4"):
        check_video(tmp_path / "video")


class Growing(FrameFolder):
    """Frames of which the third is larger than the first."""

    def timed(self) -> Iterator[tuple[float, Frames]]:
        for number, side in enumerate((8, 8, 64)):
            yield number / 25, picture(number, (side, side))


def test_a_later_frame_that_is_too_large_ends_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(tmp_path / "00001.jpg"), picture(1))
    monkeypatch.setattr("paddlevideo.serve.media.MAX_PIXELS", 64)
    monkeypatch.setattr("paddlevideo.loader.media.live.open_source", Growing)
    frames = iter(UploadedStream(tmp_path))
    assert [next(frames).picture.shape for _ in range(2)] == [(8, 8, 3)] * 2
    with pytest.raises(ValueError, match="frame 3 of the video: expected frames of 1 to 64 pixels, got 64x64"):
        next(frames)
