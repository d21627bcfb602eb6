from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from paddlevideo.loader.media.frame_folder import decode_picture
from paddlevideo.loader.media.picture_header import read_picture_header

NOISE = np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)


def encoded(kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, kind, **options)
    return stream.getvalue()


def with_preview() -> bytes:
    """A JPEG with a smaller one in its segment APP1, as cameras write it."""
    whole, preview = encoded("jpeg", quality=95), encoded("jpeg", quality=5)
    segment = b"\xff\xe1" + (2 + len(preview)).to_bytes(2, "big") + preview
    return whole[:2] + segment + whole[2:]


KINDS = {
    "baseline": encoded("jpeg", quality=95),
    "progressive": encoded("jpeg", quality=95, progressive=True),
    "grey": encoded("jpeg", comment=b"\xff\xd9"),
    "restarts": cv2.imencode(".jpg", NOISE, [cv2.IMWRITE_JPEG_RST_INTERVAL, 1])[1].tobytes(),
    "preview": with_preview(),
    "fill bytes": encoded("jpeg")[:2] + b"\xff\xff\xff" + encoded("jpeg")[2:],
    "png": encoded("png"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trailer", [b"", b"\0" * 9, b"\n", b"SEFT\xff\xd8\xff", KINDS["baseline"], KINDS["png"]])
def test_what_follows_a_picture_is_ignored(kind: str, trailer: bytes) -> None:
    data = KINDS[kind]
    assert read_picture_header(data + trailer).end == len(data)
    picture = decode_picture(data + trailer, "a.jpg", "mend it")
    np.testing.assert_array_equal(picture, decode_picture(data, "a.jpg", "mend it"))
    assert picture.shape == NOISE.shape


def test_several_pictures_in_a_file_are_the_first() -> None:
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, "MPO", save_all=True, append_images=[Image.fromarray(NOISE[::-1])])
    data = stream.getvalue()
    assert read_picture_header(data).end < len(data)
    assert np.abs(decode_picture(data, "a.jpg", "mend it").astype(int) - NOISE).mean() < 60
