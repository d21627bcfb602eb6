from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.loader import frames as module
from paddlevideo.loader.frames import FrameFolder, VideoFile, open_source
from tests.conftest import REPOSITORY

REAL_CLIPS = sorted((REPOSITORY.parent / "shared" / "data" / "ucf24_clips").glob("*.mp4"))
WIDTH, HEIGHT = 96, 64


def picture(number: int) -> np.ndarray:
    """A smooth picture whose brightness and position of a bright square tell its number; the left is red (RGB)."""
    image = np.full((HEIGHT, WIDTH, 3), 40 + number, np.uint8)
    image[:, : WIDTH // 3, 0] = 220
    image[20:40, 34 + number : 44 + number] = 250
    return image


def write_video(path: Path, count: int, codec: str, fps: float = 10.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (WIDTH, HEIGHT))
    for number in range(count):
        writer.write(picture(number)[..., ::-1])
    writer.release()
    return path


def write_folder(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number + 1:05d}.png"), picture(number)[..., ::-1])
    return folder


def decode_all(path: Path) -> list[np.ndarray]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (step := capture.read())[0]:
        found.append(step[1][..., ::-1])
    return found


class Capture:
    """What a test puts in the place of `cv2.VideoCapture` to change one method."""

    real = cv2.VideoCapture

    def __init__(self, *arguments):
        self.inner = self.real(*arguments)

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.fixture(params=["decord", "opencv"])
def decoder(request, monkeypatch):
    module._timeline.cache_clear()
    if request.param == "opencv":
        monkeypatch.setattr(module, "decord", None)
    else:
        pytest.importorskip("decord")
    yield request.param
    module._timeline.cache_clear()


class TestFolder:
    def test_reads_rgb_in_the_order_asked_for(self, tmp_path):
        source = open_source(write_folder(tmp_path / "v", 4))
        np.testing.assert_array_equal(source.read(np.array([2, 0, 2])), np.stack([picture(2), picture(0), picture(2)]))
        assert (len(source), source.size, source.fps) == (4, (HEIGHT, WIDTH), 25.0)
        np.testing.assert_array_equal(np.stack(list(source.frames())), np.stack([picture(i) for i in range(4)]))

    def test_each_picture_is_decoded_once(self, tmp_path, monkeypatch):
        source, calls, read = FrameFolder(write_folder(tmp_path / "v", 3)), [], module._read_picture
        monkeypatch.setattr(module, "_read_picture", lambda path: calls.append(path.name) or read(path))
        assert source.read(np.array([0, 0, 0, 2])).shape == (4, HEIGHT, WIDTH, 3)
        assert calls == ["00001.png", "00003.png"]

    def test_other_names_do_not_count(self, tmp_path):
        folder = write_folder(tmp_path / "v", 3)
        for name in (".DS_Store", "Thumbs.db", "cover.png", "00004.txt", "0004.png.tmp"):
            (folder / name).write_bytes(b"x")
        assert len(FrameFolder(folder)) == 3

    def test_hole_names_the_missing_frame(self, tmp_path):
        folder = write_folder(tmp_path / "v", 5)
        (folder / "00003.png").unlink()
        with pytest.raises(FileNotFoundError, match=r"00003\.jpg: no such frame.*4 pictures up to 00005\.png"):
            FrameFolder(folder)

    def test_one_number_twice(self, tmp_path):
        folder = write_folder(tmp_path / "v", 2)
        (folder / "00002.jpg").write_bytes((folder / "00002.png").read_bytes())
        with pytest.raises(ValueError, match=r"00002.* and 00002.* are the same frame"):
            FrameFolder(folder)

    def test_empty_folder(self, tmp_path):
        with pytest.raises(ValueError, match="no frame in this folder"):
            FrameFolder(tmp_path)

    def test_picture_that_has_gone(self, tmp_path):
        source = FrameFolder(write_folder(tmp_path / "v", 2))
        (tmp_path / "v" / "00002.png").unlink()
        with pytest.raises(FileNotFoundError, match=r"00002\.png"):
            source.read(np.array([0, 1]))

    @pytest.mark.parametrize("suffix", ["jpg", "png"])
    @pytest.mark.parametrize("keep", [0.0, 0.5, 0.98])
    @pytest.mark.parametrize("lenient", [False, True])
    def test_truncated_picture(self, tmp_path, monkeypatch, suffix, keep, lenient):
        data = cv2.imencode(f".{suffix}", np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))[1].tobytes()
        (tmp_path / f"00001.{suffix}").write_bytes(data)
        assert FrameFolder(tmp_path).read(np.array([0])).shape == (1, 40, 40, 3)
        (tmp_path / f"00001.{suffix}").write_bytes(data[: int(len(data) * keep)])
        if lenient:  # as OpenCV is, depending on its version
            monkeypatch.setattr(module.cv2, "imdecode", lambda *_: np.full((40, 40, 3), 128, np.uint8))
        with pytest.raises(ValueError, match=rf"00001\.{suffix}: not a complete JPEG or PNG"):
            FrameFolder(tmp_path).read(np.array([0]))

    def test_sizes_may_not_differ(self, tmp_path):
        folder = write_folder(tmp_path / "v", 2)
        cv2.imwrite(str(folder / "00002.png"), np.zeros((10, 20, 3), np.uint8))
        with pytest.raises(ValueError, match=r"00002\.png: is 20x10, but 00001\.png is 96x64"):
            FrameFolder(folder).read(np.array([0, 1]))
        with pytest.raises(ValueError, match=r"00002\.png: is 20x10, but 00001\.png is 96x64"):
            list(FrameFolder(folder).frames())


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "XVID"), ("a.mp4", "mp4v"), ("b.avi", "MJPG")])
def test_random_access_is_frame_exact(tmp_path, decoder, name, codec):
    path = write_video(tmp_path / name, 40, codec)
    source, reference = open_source(path), decode_all(path)
    assert source._timeline.decord == (decoder == "decord")
    assert (len(source), source.size, source.fps) == (40, (HEIGHT, WIDTH), 10.0)
    indices = np.array([31, 3, 3, 12, 13, 39, 0])
    np.testing.assert_array_equal(source.read(indices), np.stack([reference[i] for i in indices]))
    for i in range(40):
        np.testing.assert_array_equal(source.read(np.array([i]))[0], reference[i])
    frame = source.read(np.array([7]))[0].astype(int)
    assert abs(frame[32, 10] - [220, 47, 47]).max() < 40  # red comes first
    assert np.abs(frame - picture(7)).mean() < 12


@pytest.mark.skipif(not REAL_CLIPS, reason="the real clips are not here")
@pytest.mark.parametrize("path", REAL_CLIPS[:3], ids=lambda path: path.stem)
def test_real_clips_are_read_exactly_though_they_cannot_be_sought(path, decoder):
    source, reference = VideoFile(path), decode_all(path)
    assert not source._timeline.decord  # it refuses these files
    assert len(source) == len(reference) == {"Ba": 180, "Bi": 151, "Cl": 92}[path.stem[2:4]]
    indices = np.array([len(source) - 1, 40, 17, 41])
    np.testing.assert_array_equal(source.read(indices), np.stack([reference[i] for i in indices]))
    assert all(np.array_equal(a, b) for a, b in zip(source.frames(), reference, strict=True))


def test_seek_to_a_wrong_place_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "decord", None)
    path = write_video(tmp_path / "a.avi", 20, "XVID")
    reference, starts = decode_all(path), []

    class Astray(Capture):
        def set(self, key, value):
            starts.append(value)
            return self.inner.set(key, value - 2)

    monkeypatch.setattr(module.cv2, "VideoCapture", Astray)
    np.testing.assert_array_equal(VideoFile(path).read(np.array([9, 11])), np.stack([reference[9], reference[11]]))
    assert starts == [9]


def test_a_changed_file_is_looked_at_again(tmp_path, decoder):
    path = write_video(tmp_path / "a.avi", 12, "MJPG")
    assert len(VideoFile(path)) == 12
    write_video(path, 7, "MJPG")
    assert len(VideoFile(path)) == 7


def test_truncated_video(tmp_path, decoder):
    path = write_video(tmp_path / "a.avi", 40, "MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    count = len(VideoFile(path))
    assert 10 < count < 30
    with pytest.raises(ValueError, match=rf"a\.avi: expected 40 frames, got {count};"):
        open_source(path, num_frames=40)
    with pytest.raises(ValueError, match=rf"a\.avi: expected at least 36 frames, got {count};"):
        VideoFile(path).read(np.array([2, 35]))


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.mp4", b""), ("a.txt", b"some words\n" * 500), ("a.mp4", b"some words\n"), ("a.mp4", bytes(range(256)) * 20)],
)
def test_no_video(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name}: (not a video|cannot be opened)"):
        open_source(tmp_path / name)


def test_video_without_frames(tmp_path):
    path = write_video(tmp_path / "a.avi", 0, "MJPG")
    assert path.stat().st_size
    with pytest.raises(ValueError, match=r"a\.avi: (no frame can be decoded|cannot be opened)"):
        open_source(path)


@pytest.mark.parametrize(("told", "expected"), [(0.0, 25.0), (float("nan"), 25.0), (-3.0, 25.0), (29.97, 29.97)])
def test_frame_rate_falls_back(tmp_path, monkeypatch, told, expected):
    path = write_video(tmp_path / "a.avi", 2, "MJPG")

    class Untold(Capture):
        def get(self, key):
            return told if key == cv2.CAP_PROP_FPS else self.inner.get(key)

    monkeypatch.setattr(module.cv2, "VideoCapture", Untold)
    assert VideoFile(path).fps == expected


def test_bad_requests(tmp_path):
    source = FrameFolder(write_folder(tmp_path / "v", 3))
    with pytest.raises(ValueError, match="expected at least 4 frames, got 3"):
        source.read(np.array([3]))
    with pytest.raises(ValueError, match="start at 0, got -1"):
        source.read(np.array([-1, 2]))
    with pytest.raises(ValueError, match="at least one index"):
        source.read(np.array([], np.int64))
    with pytest.raises(FileNotFoundError, match=r"none\.mp4"):
        open_source(tmp_path / "none.mp4")


def test_every_damaged_picture_of_a_folder_is_named(tmp_path):
    folder = write_folder(tmp_path / "a", 5)
    for number in (1, 4):
        path = folder / f"{number:05d}.png"
        path.write_bytes(path.read_bytes()[:-20])
    cv2.imwrite(str(folder / "00005.png"), np.zeros((8, 8, 3), np.uint8))
    damages = list(FrameFolder(folder).damages())
    assert [text.split(":")[0] for text in damages] == [str(folder / f"0000{k}.png") for k in (1, 4, 5)]
    assert "is 8x8, but 00002.png is 96x64" in damages[2]


def test_damages_of_a_video(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.avi", 12, "MJPG")
    assert list(VideoFile(path).damages()) == []

    class Broken(Capture):
        count = 0

        def retrieve(self):
            self.count += 1
            return self.inner.retrieve() if self.count < 8 else (False, None)

    video = VideoFile(path)
    assert len(video) == 12
    monkeypatch.setattr(module.cv2, "VideoCapture", Broken)
    (text,) = video.damages()
    assert text == f"{path}: a frame cannot be decoded; the video is damaged; it is frame 8 of 12"
