from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from paddlevideo.loader.media import container, frame_index
from paddlevideo.loader.media.container import OpenVideo, open_video
from paddlevideo.loader.media.frame_folder import FrameFolder
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.loader.media.video_file import VideoFile
from tests.conftest import REPOSITORY
from tests.loader.media.pictures import HEIGHT, WIDTH, picture, write_folder

REAL_CLIPS = sorted((REPOSITORY.parent / "shared" / "data" / "ucf24_clips").glob("*.mp4"))


def write_video(path: Path, count: int, codec: str, fps: float = 10.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (WIDTH, HEIGHT))
    for number in range(count):
        writer.write(picture(number)[..., ::-1])
    writer.release()
    return path


def decode_all(path: Path) -> list[np.ndarray]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (step := capture.read())[0]:
        found.append(step[1][..., ::-1])
    return found


def packets(path: Path) -> list[tuple[np.ndarray, bool]]:
    """The packets of a video as they are in the file, and whether they are key frames."""
    capture, found = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1]), []
    while capture.grab():
        found.append((capture.retrieve()[1].ravel().copy(), bool(capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))))
    return found


def write_packets(path: Path, data: list[np.ndarray], codec: str, times: Sequence[int] = range(1000)) -> Path:
    settings = [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1, cv2.VIDEOWRITER_PROP_KEY_INTERVAL, 1000]  # the first is a key frame
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 10.0, (WIDTH, HEIGHT), settings)
    for packet, time in zip(data, times, strict=False):
        writer.set(cv2.VIDEOWRITER_PROP_PTS, time)
        writer.write(packet)
    writer.release()
    return path


def one_key_frame(folder: Path) -> Path:
    """A video in which every frame needs all before it: a coded one without its key frames but the first."""
    all_packets = packets(write_video(folder / "keys.avi", 120, "XVID"))
    data = [packet for number, (packet, is_key) in enumerate(all_packets) if number == 0 or not is_key]
    path = write_packets(folder / "long.avi", data, "XVID")
    assert len(data) > 100 and [is_key for _, is_key in packets(path)] == [True] + [False] * (len(data) - 1)
    return path


def write_b_frames(path: Path, count: int, codec: str = "libx264", **more: int) -> Path:
    """A video coded with three B-frames between others, so that the decoder keeps frames back."""
    settings = {"keyint": 10, "min-keyint": 10, "bframes": 3, "b-adapt": 0, "scenecut": 0, **more}
    options = {f"{codec[3:]}-params": ":".join(f"{key}={value}" for key, value in settings.items())}
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, 25, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p", options=options)
        for number in range(count):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), "rgb24")))
        file.mux(stream.encode())
    return path


def damaged(folder: Path, codec: str) -> Path:
    """A video of 40 frames of which the 21st is noise."""
    data = [packet for packet, _ in packets(write_video(folder / "whole.avi", 40, codec))]
    data[20] = np.random.default_rng(0).integers(0, 256, len(data[20]), np.uint8)
    return write_packets(folder / "damaged.avi", data, codec)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "XVID"), ("a.mp4", "mp4v"), ("b.avi", "MJPG")])
def test_random_access_is_frame_exact(tmp_path, name, codec):
    path = write_video(tmp_path / name, 40, codec)
    source, reference = open_source(path), decode_all(path)
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
def test_real_clips_are_read_exactly_though_they_cannot_be_sought(path):
    source, reference = VideoFile(path), decode_all(path)
    assert len(source) == len(reference) == {"Ba": 180, "Bi": 151, "Cl": 92}[path.stem[2:4]]
    indices = np.array([len(source) - 1, 40, 17, 41])
    np.testing.assert_array_equal(source.read(indices), np.stack([reference[i] for i in indices]))
    assert all(np.array_equal(a, b) for a, b in zip(source.frames(), reference, strict=True))


def count_frames(monkeypatch) -> list[int]:
    decoded, real = [], OpenVideo.frames

    def frames(self, *arguments):
        for found in real(self, *arguments):
            decoded.append(found.packet)
            yield found

    monkeypatch.setattr(OpenVideo, "frames", frames)
    return decoded


def test_a_long_video_is_not_decoded_from_its_beginning(tmp_path, monkeypatch):
    source = VideoFile(write_video(tmp_path / "a.mp4", 400, "mp4v"))
    source.read(np.array([399]))
    decoded = count_frames(monkeypatch)
    source.read(np.arange(300, 316))
    assert len(decoded) <= 17


def test_length_takes_no_decoding_of_the_whole(tmp_path, monkeypatch):
    path, decoded = write_video(tmp_path / "a.mp4", 400, "mp4v"), count_frames(monkeypatch)
    assert len(VideoFile(path)) == 400
    assert len(decoded) < 50


def test_key_frames_far_apart(tmp_path):
    path = one_key_frame(tmp_path)
    source, reference = VideoFile(path), decode_all(path)
    assert len(source) == len(reference)
    for indices in (np.array([90, 94, len(source) - 1]), np.array([1]), np.arange(50, 66)):
        np.testing.assert_array_equal(source.read(indices), np.stack([reference[i] for i in indices]))


def test_uneven_times(tmp_path):
    """A video whose rate changes is read exactly, too; it is decoded once to know its frames."""
    data = [packet for packet, _ in packets(write_video(tmp_path / "a.avi", 60, "mp4v"))]
    path = write_packets(tmp_path / "a.mkv", data, "mp4v", [*range(30), *range(30, 150, 4)])
    source, reference = VideoFile(path), decode_all(path)
    times = [seconds for seconds, _ in source.timed()]
    assert np.ptp(np.diff(times)) > 0.1 and len(times) == 60
    for number in (1, 29, 30, 31, 59):
        np.testing.assert_array_equal(source.read(np.array([number]))[0], reference[number])


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
def test_a_damaged_frame_is_named_by_whoever_needs_it(tmp_path, codec):
    path = damaged(tmp_path, codec)
    source = open_source(path, num_frames=40)
    whole = VideoFile(tmp_path / "whole.avi")
    if codec == "MJPG":  # the others do not need it
        np.testing.assert_array_equal(source.read(np.array([19, 22])), whole.read(np.array([19, 22])))
    for indices in (np.array([20]), np.arange(10, 26)):
        with pytest.raises(ValueError, match=r"damaged\.avi: frame 21 of 40 cannot be decoded"):
            source.read(indices)
    with pytest.raises(ValueError, match="frame 21 of 40"):
        list(source.frames())


def test_a_damaged_frame_is_named_where_times_are_doubtful(tmp_path, monkeypatch):
    monkeypatch.setattr(frame_index, "_numbers_by_time", lambda packets: None)
    with pytest.raises(ValueError, match=r"damaged\.avi: frame 21 cannot be decoded"):
        len(VideoFile(damaged(tmp_path, "MJPG")))


def test_frames_after_a_damaged_key_frame_are_those_of_reading_in_order(tmp_path):
    data = [packet for packet, _ in packets(write_video(tmp_path / "whole.avi", 60, "XVID"))]
    data[24][len(data[24]) // 2 :] = np.random.default_rng(0).integers(0, 256, (len(data[24]) + 1) // 2, np.uint8)
    source = VideoFile(write_packets(tmp_path / "damaged.avi", data, "XVID"))
    assert 24 in source._index.keys["packet"]
    for number, frame in enumerate(source.frames()):
        np.testing.assert_array_equal(source.read(np.array([number]))[0], frame, f"frame {number}")


def test_a_picture_of_which_a_part_is_damaged_is_refused(tmp_path):
    data = [packet for packet, _ in packets(write_video(tmp_path / "whole.avi", 12, "MJPG"))]
    data[6][-100:-2] = np.random.default_rng(0).integers(0, 255, 98, np.uint8)  # no markers
    source = VideoFile(write_packets(tmp_path / "damaged.avi", data, "MJPG"))
    with pytest.raises(ValueError, match="frame 7 of 12 cannot be decoded"):
        source.read(np.array([6]))
    assert len(source.read(np.array([5, 7]))) == 2


def test_what_is_cut_off_at_the_end_is_missed_by_nobody(tmp_path):
    """The last packet may be of a frame that is shown after those the decoder has kept back."""
    path = write_b_frames(tmp_path / "cut.flv", 40)
    with open_video(path) as video:
        whole = list(video.packets())
    last = next(a for a, b in pairwise(whole[24:]) if a.pts > b.pts and not a.is_keyframe)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(bytes(last)) + last.size // 2])
    source = VideoFile(path)
    assert len(source) == len(list(source.timed())) == len(list(source.frames())) > 20


@pytest.mark.parametrize("percent", range(40, 64, 3))
def test_a_file_that_grows_has_the_frames_that_were_found(tmp_path, percent):
    whole = write_b_frames(tmp_path / "whole.ts", 40)
    path = tmp_path / "a.ts"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * percent // 100])
    source = VideoFile(path)
    count = len(source)
    path.write_bytes(whole.read_bytes())
    assert len(list(source.frames())) == count < 40
    assert len(VideoFile(path)) == 40


def test_leading_frames_of_what_was_cut_away_are_not_counted(tmp_path):
    """After a cut at an open GOP, frames that are shown before the first key frame need what is not there."""
    path = write_b_frames(tmp_path / "a.ts", 60, "libx265", **{"open-gop": 1, "log-level": 0})
    cut = tmp_path / "cut.ts"
    with av.open(str(path)) as file, av.open(str(cut), "w") as output:
        copy = output.add_stream_from_template(file.streams.video[0])
        keys = 0
        for packet in file.demux(video=0):
            keys += packet.is_keyframe
            if keys > 1 and packet.size:
                packet.stream = copy
                output.mux(packet)
    source = VideoFile(cut)
    assert len(source) == len(list(source.timed())) == len(list(source.frames())) > 40


def test_streams_that_begin_in_the_middle_do_not_matter(tmp_path):
    """PyAV looks for the streams of the head only."""

    def demux(stream):
        yield from container_of_file.demux(stream)
        raise IndexError("list index out of range")

    with open_video(write_video(tmp_path / "a.mp4", 6, "mp4v")) as video:
        container_of_file = video._container
        video._container = SimpleNamespace(demux=demux, close=container_of_file.close)
        assert len(list(video.packets())) == 6


@pytest.mark.parametrize("error", [0, -20, 30])
def test_seek_to_a_wrong_place_is_noticed(tmp_path, monkeypatch, error):
    path = write_video(tmp_path / "a.avi", 60, "XVID")
    reference, source = decode_all(path), VideoFile(path)
    monkeypatch.setattr(container, "_MAX_WALK", 12)
    source._index.keys["time"] += error
    for numbers in (np.array([40, 42]), np.array([58])):
        np.testing.assert_array_equal(source.read(numbers), np.stack([reference[n] for n in numbers]))


def test_a_changed_file_is_looked_at_again(tmp_path):
    path = write_video(tmp_path / "a.avi", 12, "MJPG")
    assert len(VideoFile(path)) == 12
    write_video(path, 7, "MJPG")
    assert len(VideoFile(path)) == 7


def test_truncated_video(tmp_path):
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


@pytest.mark.parametrize("rate", [0.2, 0.5, 29.97])
def test_frame_rates(tmp_path, rate):
    video = VideoFile(write_video(tmp_path / "a.mp4", 4, "mp4v", rate))
    assert video.fps == pytest.approx(rate)
    assert [seconds for seconds, _ in video.timed()] == pytest.approx([n / rate for n in range(4)], abs=1e-3)


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


def test_damages_of_a_video(tmp_path):
    path = damaged(tmp_path, "MJPG")
    assert list(VideoFile(tmp_path / "whole.avi").damages()) == []
    (text,) = VideoFile(path).damages()
    assert text == f"{path}: frame 21 of 40 cannot be decoded; the video is damaged, get it anew"


def test_frames_come_with_their_times(tmp_path):
    video, folder = VideoFile(write_video(tmp_path / "a.mp4", 6, "mp4v")), FrameFolder(write_folder(tmp_path / "b", 3))
    assert [seconds for seconds, _ in video.timed()] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert [seconds for seconds, _ in folder.timed()] == [0, 0.04, 0.08]
    for source in (video, folder):
        assert source.claimed_length == len(source)
        timed = [frame for _, frame in source.timed()]
        np.testing.assert_array_equal(timed, list(source.frames()))


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
def test_a_damaged_frame_is_named_while_streaming(tmp_path, codec):
    with pytest.raises(ValueError, match=r"damaged\.avi: frame 21 cannot be decoded"):
        list(VideoFile(damaged(tmp_path, codec)).timed())


@pytest.mark.skipif(not REAL_CLIPS, reason="the clips are not beside the checkout")
def test_a_raw_stream_has_the_rate_of_its_frames():
    assert VideoFile(REAL_CLIPS[0]).fps == pytest.approx(29.97, abs=0.01)
    assert VideoFile(REAL_CLIPS[0]).claimed_length is None


def test_frames_that_are_no_files_or_too_large(tmp_path):
    folder = write_folder(tmp_path / "v", 2)
    (folder / "00002.png").unlink()
    (folder / "00002.png").symlink_to("/dev/zero")  # reading it would never end
    with pytest.raises(FileNotFoundError, match=r"00002\.png: no such frame"):
        FrameFolder(folder).read(np.array([1]))
    (folder / "00002.png").unlink()
    (folder / "00002.png").write_bytes(cv2.imencode(".png", np.zeros((8200, 8200), np.uint8))[1].tobytes())
    with pytest.raises(ValueError, match=r"00002\.png: cannot be decoded, it may be too large"):
        FrameFolder(folder).read(np.array([1]))
