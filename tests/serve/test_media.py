"""What is let through to a decoder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.serve.media import check_video, jpeg_size, read_jpeg
from tests.tasks.streams import picture, write_video

REMARK = b"\xff\xfe\x00\x06more"  # a segment that may come before the size


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("before", [b"", REMARK, REMARK + b"\xff\xff"], ids=["nothing", "remark", "filler"])
def test_the_size_of_a_picture_is_told_by_its_head(progressive: int, before: bytes) -> None:
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    data = cv2.imencode(".jpg", picture(1, (300, 517)), options)[1].tobytes()
    data = data[:2] + before + data[2:]
    assert jpeg_size(data) == (300, 517)
    assert read_jpeg(data).shape == (300, 517, 3)
    assert {jpeg_size(data[:length]) for length in range(len(data))} == {None, (300, 517)}


def test_a_picture_keeps_its_colours() -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = 200  # OpenCV's last channel
    assert read_jpeg(cv2.imencode(".jpg", red)[1].tobytes())[24, 32] == pytest.approx([200, 0, 0], abs=3)


VIDEOS = [("avi", "MJPG"), ("avi", "XVID"), ("mp4", "mp4v"), ("mov", "mp4v"), ("mkv", "mp4v"), ("webm", "VP80")]
VIDEOS += [("mpg", "PIM1"), ("flv", "FLV1"), ("ts", "MPG2"), ("wmv", "WMV2"), ("m4v", "mp4v")]


@pytest.mark.parametrize(("kind", "codec"), VIDEOS)
def test_videos_are_let_through(tmp_path: Path, kind: str, codec: str) -> None:
    video = write_video(tmp_path / f"a.{kind}", 5, codec=codec)
    assert video.stat().st_size > 0
    video.rename(tmp_path / "video")
    check_video(tmp_path / "video")


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "txt"])
def test_what_is_no_video_is_not(tmp_path: Path, kind: str) -> None:
    data = b"#EXTM3U\0" if kind == "txt" else cv2.imencode(f".{kind}", picture(1))[1].tobytes()
    (tmp_path / "video").write_bytes(data)
    with pytest.raises(ValueError, match="not a video; expected mp4"):
        check_video(tmp_path / "video")
