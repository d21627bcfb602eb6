from __future__ import annotations

import csv
import json
import re
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.loader.media.live import StoredStream
from paddlevideo.tasks import streaming, writers
from paddlevideo.tasks.answers import BoxAnswers
from paddlevideo.tasks.streaming import Outlets, StreamOptions, predict_streams
from paddlevideo.tasks.tracks import TubeLinker
from paddlevideo.tasks.writers import DetectionWriter, SteadyVideo, Window
from paddlevideo.types import Arrays, Prediction, Sample
from paddlevideo.utils.logging import logger
from tests.tasks.streams import (
    CLIP,
    STEP,
    ClipReader,
    MadeStream,
    as_detections,
    made,
    made_predictor,
    picture,
    read_lines,
    read_pictures,
    write_video,
)


def predict(*streams: MadeStream | StoredStream, folder: Path, network: ClipReader | None = None, **options) -> None:
    predict_streams(made_predictor(network), streams, folder, StreamOptions(**options), threading.Event())


def clip_of(number: int) -> list[int]:
    """Greys of the clip of frame `number`."""
    return [STEP * max(n, 1) for n in range(number - CLIP + 1, number + 1)]


def test_the_files_say_what_the_network_found(tmp_path: Path) -> None:
    predict(made("cam", 30), folder=tmp_path, table=True)
    lines = read_lines(tmp_path / "cam.jsonl")
    assert [line["frame"] for line in lines] == list(range(1, 31))
    # frame 10: grey 30, so the box begins at 0.03 of 64 pixels and ends at 0.28; 48 pixels are the height
    found = {"box": [1.92, 12.0, 17.92, 36.0], "label": "Run", "score": 0.53, "track": 1}
    assert lines[9] == {"frame": 10, "time": 0.36, "size": [48, 64], "detections": [found]}
    (tube,) = json.loads((tmp_path / "cam.tubes.json").read_text())["tubes"]
    assert tube["track"] == 1
    assert tube["frames"] == list(range(1, 31))
    assert tube["boxes"][9] == found["box"]
    table = (tmp_path / "cam.csv").read_text().splitlines()
    assert table[0] == "frame,time,track,label,score,x1,y1,x2,y2"
    assert table[10] == "10,0.36,1,Run,0.53,1.92,12.0,17.92,36.0"
    assert len(table) == 31
    assert len(read_pictures(tmp_path / "cam.mp4")) == 30


def test_classes_and_streams_of_any_name_are_written(tmp_path: Path) -> None:
    classes = ['Say "hi", <b>&</b>', "two\nlines"]
    stream = made("a,\"b\" & 'c'", 3)
    writer = DetectionWriter(tmp_path, stream.name, classes, 25, 0.3, TubeLinker(patience=1), table=True)
    corners = np.array([[0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.9, 0.9]])
    found = {"boxes": corners, "labels": np.array([0, 1]), "scores": np.array([0.9, 0.8])}
    for number, frame in enumerate(stream, start=1):
        meta = {"frame": number, "time": frame.time, "size": [48, 64]}
        writer.write({"frame": frame.picture, "meta": meta}, found)
    writer.close()
    with (tmp_path / f"{stream.name}.csv").open(encoding="utf-8", newline="") as file:
        assert [row[3] for row in csv.reader(file)][1:3] == classes
    first = json.loads((tmp_path / f"{stream.name}.jsonl").read_text().splitlines()[0])
    assert [one["label"] for one in first["detections"]] == classes
    tubes = json.loads((tmp_path / f"{stream.name}.tubes.json").read_text())
    assert sorted(tube["label"] for tube in tubes["tubes"]) == sorted(classes)


def test_every_frame_reaches_the_network_once_with_those_before_it(tmp_path: Path, monkeypatch) -> None:
    seen: list[list[int]] = []

    def keep(decoded: Arrays, meta: list) -> list[Prediction]:
        seen.extend(decoded["grey"].astype(int).tolist())
        return as_detections(decoded, meta)

    predictor = made_predictor()
    predictor.postprocess = keep
    predict_streams(predictor, [made("cam", 12)], tmp_path, StreamOptions(batch_size=5), threading.Event())
    assert seen == [clip_of(number) for number in range(1, 13)]


def test_with_a_stride_answers_are_held_for_the_frames_between(tmp_path: Path) -> None:
    network = ClipReader()
    predict(made("cam", 10), folder=tmp_path, network=network, stride=4)
    assert [line["frame"] for line in read_lines(tmp_path / "cam.jsonl")] == [1, 5, 9]
    assert network.sizes == [1, 1, 1]
    frames = read_pictures(tmp_path / "cam.mp4")
    assert len(frames) == 10
    drawn = [np.flatnonzero(cv2.absdiff(frame[30], frame[44]).max(1) > 60) for frame in frames]
    assert drawn[4].size
    assert drawn[4].tolist() == drawn[7].tolist()
    assert frames[7][44, 60, 0] > frames[4][44, 60, 0]  # the frame itself is not held


def test_batches_mix_videos_and_change_no_answer(tmp_path: Path) -> None:
    streams = {"a": 7, "b": 3, "c": 12, "d": 5}
    for folder, size in (("one", 1), ("four", 3)):
        (tmp_path / folder).mkdir()
        network = ClipReader()
        videos = [made(name, count) for name, count in streams.items()]
        predict(*videos, folder=tmp_path / folder, network=network, batch_size=size, table=True)
        assert sum(network.sizes) == sum(streams.values())
        assert max(network.sizes) == size
    for name in streams:
        for kind in ("jsonl", "csv", "tubes.json", "mp4"):
            one, four = (tmp_path / folder / f"{name}.{kind}" for folder in ("one", "four"))
            assert one.read_bytes() == four.read_bytes(), one


def slow_network(count: int) -> tuple[MadeStream, ClipReader]:
    """A stream of `count` frames, all of which come while the network looks at the first."""
    ended = threading.Event()
    stream = made("cam", count, before=lambda number: number > count and ended.set())
    return stream, ClipReader(lambda number: ended.wait(5))


def test_a_slow_network_drops_frames_and_says_which(tmp_path: Path) -> None:
    stream, network = slow_network(40)
    predict(stream, folder=tmp_path, network=network, realtime=True)
    lines = read_lines(tmp_path / "cam.jsonl")
    assert [line["frame"] for line in lines] == list(range(1, 41))  # each has been seen, or been dropped
    dropped = [line for line in lines if "dropped" in line]
    assert dropped == [{"frame": n, "time": (n - 1) / 25, "dropped": True} for n in [line["frame"] for line in dropped]]
    assert len(dropped) == 40 - len(network.sizes)
    assert len(network.sizes) <= 5
    assert "dropped" not in lines[-1]  # the newest frame is kept
    assert len(read_pictures(tmp_path / "cam.mp4")) == 40  # and the video lasts as long


def test_clips_have_the_frames_that_were_dropped(tmp_path: Path) -> None:
    stream, network = slow_network(40)
    predictor = made_predictor(network)
    clips = []

    def keep(decoded: Arrays, meta: list) -> list[Prediction]:
        clips.append((meta[0]["frame"], decoded["grey"][0].astype(int).tolist()))
        return as_detections(decoded, meta)

    predictor.postprocess = keep
    predict_streams(predictor, [stream], tmp_path, StreamOptions(realtime=True), threading.Event())
    assert clips[-1] == (40, clip_of(40))
    assert clips == [(frame, clip_of(frame)) for frame, _ in clips]


def test_a_fast_network_drops_nothing(tmp_path: Path) -> None:
    turn = threading.Semaphore(1)
    stream = made("cam", 10, before=lambda number: turn.acquire(timeout=5))
    predict(stream, folder=tmp_path, network=ClipReader(lambda number: turn.release()), realtime=True)
    lines = read_lines(tmp_path / "cam.jsonl")
    assert ["detections" in line for line in lines] == [True] * 10


def test_decoding_network_and_writing_overlap(tmp_path: Path) -> None:
    decoded, asked, written = threading.Event(), threading.Event(), threading.Event()

    def network(number: int) -> None:
        if number == 1:
            assert decoded.wait(5)  # the third frame comes while the network has the first
        if number == 3:
            asked.set()
            assert written.wait(5)  # the first is drawn while the network has the third

    class Screen:
        def show(self, shown: np.ndarray) -> None:
            assert asked.wait(5)
            written.set()

    linker = TubeLinker()
    writer = DetectionWriter(tmp_path, "cam", ["Sit", "Run"], 25.0, 0.3, linker, window=Screen())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoxAnswers, "stream_writer", lambda *_: writer)
        stream = made("cam", 6, before=lambda number: number == 3 and decoded.set())
        predict(stream, folder=tmp_path, network=ClipReader(network))
    assert len(read_lines(tmp_path / "cam.jsonl")) == 6


def test_one_bad_video_does_not_end_the_others(tmp_path: Path) -> None:
    bad = made("bad", 5, failure=ValueError("bad.mp4: frame 6 cannot be decoded"))
    with pytest.raises(ValueError, match="frame 6 cannot be decoded"):
        predict(made("a", 9), bad, made("b", 12), folder=tmp_path, batch_size=2)
    counts = {path.stem: len(read_lines(path)) for path in tmp_path.glob("*.jsonl")}
    assert counts == {"a": 9, "bad": 5, "b": 12}
    assert len(read_pictures(tmp_path / "bad.mp4")) == 5


def test_stopping_leaves_whole_files(tmp_path: Path) -> None:
    stop = threading.Event()

    def stop_at_ten(decoded: Arrays, meta: list) -> list[Prediction]:
        if meta[0]["frame"] == 10:
            stop.set()
        return as_detections(decoded, meta)

    predictor = made_predictor()
    predictor.postprocess = stop_at_ten
    predict_streams(predictor, [made("cam", 10**6)], tmp_path, StreamOptions(), stop)
    assert [line["frame"] for line in read_lines(tmp_path / "cam.jsonl")] == list(range(1, 11))
    assert len(read_pictures(tmp_path / "cam.mp4")) == 10
    assert len(json.loads((tmp_path / "cam.tubes.json").read_text())["tubes"][0]["frames"]) == 10


def test_a_full_disk_ends_the_run_with_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = tmp_path / "cam.jsonl"
    usage = writers.shutil.disk_usage

    def filling(folder: Path):
        free = 1000 if lines.exists() and lines.read_bytes().count(b"\n") >= 10 else 1 << 40
        return usage(folder)._replace(free=free)

    monkeypatch.setattr(writers.shutil, "disk_usage", filling)
    with pytest.raises(OSError, match=r"the disk is full \(0 MB free, 16 are kept .* cam ends after 10 frames"):
        predict(made("cam", 100), folder=tmp_path)
    assert len(read_lines(lines)) == len(read_pictures(tmp_path / "cam.mp4")) == 10


def test_files_that_cannot_be_written_end_their_stream_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "propagate", True)
    logger.setLevel("INFO")
    (tmp_path / "a.jsonl").mkdir()
    (tmp_path / "b.jsonl").touch()
    (tmp_path / "b.mp4").mkdir()
    (tmp_path / "c.mp4").write_bytes(b"of somebody")
    network = ClipReader()
    with pytest.raises(OSError, match=r"a\.jsonl: cannot be written \(Is a directory\); remove what has this name"):
        predict(*(made(name, 30) for name in "abcd"), folder=tmp_path, network=network, batch_size=2)
    assert "b.mp4: cannot write an mp4 of 64x48 at 25 fps; remove what has this name" in caplog.text
    assert "b: 0 frames; wrote" in caplog.text
    assert "b.{jsonl,tubes.json}" in caplog.text
    assert "c.mp4: this has no c.jsonl beside it, so it is not one that was written here" in caplog.text
    assert (tmp_path / "c.mp4").read_bytes() == b"of somebody"
    assert len(read_pictures(tmp_path / "d.mp4")) == len(read_lines(tmp_path / "d.jsonl")) == 30
    assert sum(network.sizes) < 60  # the network is not asked for streams that cannot be written


@pytest.mark.parametrize("fps", [0.05, 23.976, 29.97, 65.5, 66.6667, 71.4286, 143.857, 239.7633, 333.3333, 1000.5, 7e4])
def test_every_rate_can_be_written(tmp_path: Path, fps: float) -> None:
    video = SteadyVideo(tmp_path / "a.mp4", fps)
    for number in range(4):
        video.write(picture(number), number / fps)
    video.close()
    assert video.fps == pytest.approx(fps, rel=1e-3) or fps > 65535
    assert len(read_pictures(tmp_path / "a.mp4")) >= 3


def test_nothing_is_written_after_a_failure(tmp_path: Path) -> None:
    class Failing(DetectionWriter):
        def write(self, sample: Sample, prediction: Prediction | None) -> None:
            if sample["meta"]["frame"] == 3:
                raise OSError("no room")
            super().write(sample, prediction)

    linker = TubeLinker()
    outlets = Outlets(
        lambda stream: Failing(tmp_path, stream.name, ["Sit", "Run"], 25.0, 0.3, linker), threading.Event(), set()
    )
    prediction = as_detections({"grey": np.zeros((1, CLIP))}, [])[0]
    with pytest.raises(OSError, match="no room"), outlets:
        for number in range(1, 7):
            meta = {"id": "", "frame": number, "time": number / 25, "size": [48, 64]}
            outlets.take(streaming.Step(made("cam", 0), {"meta": meta, "frame": picture(number)}), prediction)
    assert [line["frame"] for line in read_lines(tmp_path / "cam.jsonl")] == [1, 2]


def test_a_file_that_takes_nothing_does_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LAST_SECONDS", 0.3)
    monkeypatch.setattr(streaming, "LOOK_SECONDS", 0.05)
    going_on, stop, closed = threading.Event(), threading.Event(), []

    class Stuck:
        def write(self, sample: Sample, prediction: Prediction | None) -> None:
            going_on.wait()

        def close(self) -> None:
            closed.append(True)

    outlets = Outlets(lambda stream: Stuck(), stop, set())
    with pytest.raises(OSError, match=r"the files of cam took nothing for 0\.3 seconds after the stop"), outlets:
        outlets.take(streaming.Step(made("cam", 0), {"meta": {"frame": 1}}), None)
        stop.set()
    going_on.set()
    assert not closed  # which would wait as well


def test_a_size_that_changes_is_told_and_fitted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "propagate", True)
    predict(MadeStream("cam", [(48, 64)] * 5 + [(48, 32)] * 5), folder=tmp_path)
    assert "cam: frame 6 is 32x48, those before are 64x48" in caplog.text
    assert set(re.findall(r"frame (\d+) is", caplog.text)) == {"6"}
    lines = read_lines(tmp_path / "cam.jsonl")
    assert [line["size"] for line in lines] == [[48, 64]] * 5 + [[48, 32]] * 5
    assert lines[9]["detections"][0]["box"] == [0.96, 12.0, 8.96, 36.0]  # 0.03 and 0.28 of 32 pixels
    frames = read_pictures(tmp_path / "cam.mp4")
    assert {frame.shape for frame in frames} == {(48, 64, 3)}
    last = frames[-1][44].max(1)  # a row without a box: black, the picture in the middle, black
    assert last[:14].max() <= 4
    assert last[50:].max() <= 4
    assert abs(int(last[32]) - 10 * STEP) <= 4


def test_an_odd_size_loses_no_pixels(tmp_path: Path) -> None:
    video = SteadyVideo(tmp_path / "odd.mp4", 25.0)
    bright = np.full((241, 321, 3), 200, np.uint8)
    for number in range(3):
        video.write(bright, number / 25)
    video.close()
    frames = read_pictures(video.path)
    assert [frame.shape for frame in frames] == [(242, 322, 3)] * 3
    assert abs(int(frames[0][240, 320].mean()) - 200) < 12


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ([0.0, 0.04, 0.08], [1, 2, 3]),
        ([0.0, 0.04, 0.16], [1, 2, 2, 2, 3]),  # a pause
        ([0.08, 0.12], [1, 1, 1, 2]),  # nothing at the beginning
        ([0.0, 0.01, 0.03, 0.04], [1, 3]),  # too many: those that find their place taken are left out
    ],
)
def test_pictures_are_shown_for_as_long_as_they_last(tmp_path: Path, times: list[float], shown: list[int]) -> None:
    video = SteadyVideo(tmp_path / "steady.mp4", 25.0)
    for number, seconds in enumerate(times, start=1):
        video.write(np.full((48, 64, 3), 50 * number, np.uint8), seconds)
    video.close()
    assert [round(frame.mean() / 50) for frame in read_pictures(video.path)] == shown


def test_a_very_long_pause_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "LONGEST_PAUSE", 1.0)
    video = SteadyVideo(tmp_path / "steady.mp4", 25.0)
    for seconds in (0.0, 1e6, 1e6 + 0.04):
        video.write(picture(1), seconds)
    video.close()
    assert len(read_pictures(video.path)) == 1 + 25 + 2


def test_a_window_needs_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
    with pytest.raises(RuntimeError, match="this OpenCV was built without windows"):
        StreamOptions(show=True)
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "QT6")
    monkeypatch.setattr(writers.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match="no screen here"):
        StreamOptions(show=True)


def test_closing_the_window_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, keys = threading.Event(), iter([255, ord("q")])
    monkeypatch.setattr(cv2, "imshow", lambda *_: None)
    monkeypatch.setattr(cv2, "waitKey", lambda _: next(keys))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    window = Window("cam", stop)
    window.show(picture(1))
    assert not stop.is_set()
    window.show(picture(2))
    assert stop.is_set()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "batch_size should be at least 1, got 0"),
        ({"stride": 0}, "stride should be at least 1, got 0"),
        ({"realtime": True, "batch_size": 2}, "batch_size should be 1 with realtime"),
    ],
)
def test_options_that_cannot_be_are_named(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StreamOptions(**options)


@pytest.mark.parametrize(("frames", "size"), [(1, (48, 64)), (5, (242, 322))])
def test_short_videos_and_odd_folders(tmp_path: Path, frames: int, size: tuple[int, int]) -> None:
    (tmp_path / "out").mkdir()
    predict(StoredStream(write_video(tmp_path / "clip.mp4", frames, size)), folder=tmp_path / "out")
    assert len(read_lines(tmp_path / "out" / "clip.jsonl")) == frames
    assert [frame.shape[:2] for frame in read_pictures(tmp_path / "out" / "clip.mp4")] == [size] * frames


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_that_are_grey_or_have_alpha(tmp_path: Path, channels: int) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 4):
        pixels = np.full((241, 321, channels), STEP * number, np.uint8)
        pixels[..., 3:] = 128
        cv2.imwrite(str(folder / f"{number:05d}.png"), pixels)
    predict(StoredStream(folder), folder=tmp_path)
    lines = read_lines(tmp_path / "pictures.jsonl")
    assert [line["detections"][0]["score"] for line in lines] == [0.503, 0.506, 0.509]
    assert read_pictures(tmp_path / "pictures.mp4")[0].shape == (242, 322, 3)


def test_times_count_from_the_first_frame_and_rise(tmp_path: Path) -> None:
    predict(made("cam", 4, times=[100.0, 100.04, 100.04, 100.2]), folder=tmp_path)
    assert [line["time"] for line in read_lines(tmp_path / "cam.jsonl")] == [0.0, 0.04, 0.08, 0.2]
