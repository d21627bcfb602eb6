from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.loader.media.find import find_sources
from paddlevideo.loader.media.live import Connection, LiveStream, StoredStream, TimedFrame, _is_stored, open_streams
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.utils.logging import logger
from tests.tasks.streams import STEP, MadeStream, made_predictor, picture, read_lines, read_pictures, write_video

QUICK = Connection(timeout=1.0, attempts=2, first_wait=0.05, longest_wait=0.1)
Part = Callable[[BaseHTTPRequestHandler], None]


class CameraServer:
    """A camera that sends JPEG pictures over HTTP; each connection gets the next of some scripts, then an error."""

    def __init__(self, *scripts: Sequence[Part]) -> None:
        waiting = iter(scripts)

        class Handler(BaseHTTPRequestHandler):
            came = threading.Semaphore(0)  # counts connections

            def do_GET(self) -> None:
                if self.headers.get("User-Agent", "").startswith("Python-urllib"):  # only wants to know the kind
                    head()(self)
                    return
                self.came.release()
                script = next(waiting, None)
                if script is None:
                    self.send_error(503)
                    return
                with contextlib.suppress(ConnectionError):
                    for part in script:
                        part(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:secret@127.0.0.1:{self.server.server_port}/live/1?token=secret"

    def __enter__(self) -> CameraServer:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def head(kind: str = "multipart/x-mixed-replace; boundary=frame", length: int | None = None) -> Part:
    def part(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()

    return part


def jpeg(number: int, size: tuple[int, int] = (48, 64)) -> bytes:
    return cv2.imencode(".jpg", picture(number, size))[1].tobytes()


def pictures(first: int, last: int, size: tuple[int, int] = (48, 64)) -> Part:
    def part(handler: BaseHTTPRequestHandler) -> None:
        for number in range(first, last + 1):
            data = jpeg(number, size)
            handler.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data))
            handler.wfile.write(data + b"\r\n")
            time.sleep(0.005)

    return part


def half_a_picture(handler: BaseHTTPRequestHandler) -> None:
    data = jpeg(99)
    handler.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data))
    handler.wfile.write(data[: len(data) // 2])


def silence_until_it_connects_again(handler: BaseHTTPRequestHandler) -> None:
    for _ in range(2):
        handler.came.acquire(timeout=10)


def numbers(frames: Sequence[TimedFrame]) -> list[int]:
    return [round(frame.picture.mean() / STEP) for frame in frames]


@pytest.mark.parametrize(
    "trouble", [(), (silence_until_it_connects_again,), (half_a_picture,)], ids=["drops", "stalls", "ends in a frame"]
)
def test_a_stream_that_breaks_goes_on(
    trouble: tuple[Part, ...], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "propagate", True)
    with CameraServer([head(), pictures(1, 10), *trouble], [head(), pictures(21, 30)]) as camera:
        stream = LiveStream(camera.url, QUICK)
        frames = []
        with pytest.raises(ConnectionError, match="no frame after number 20, and none after connecting again 2 times"):
            for frame in stream:
                frames.append(frame)
    assert numbers(frames) == [*range(1, 11), *range(21, 31)]
    assert all(a.time < b.time for a, b in pairwise(frames))
    assert "no frame after number 10; connecting again in 0.05 s (1 of 2)" in caplog.text
    assert "no frame after number 20; connecting again in 0.1 s (2 of 2)" in caplog.text
    assert "secret" not in caplog.text + stream.name + stream.title


def test_waits_double_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    with CameraServer([head(), pictures(1, 3)]) as camera:
        stream = LiveStream(camera.url, replace(QUICK, attempts=5, first_wait=1.0, longest_wait=6.0))
        monkeypatch.setattr(stream._closed, "wait", waits.append)
        monkeypatch.setattr(stream, "_open", lambda: None)
        with pytest.raises(ConnectionError):
            list(stream)
    assert waits == [1, 2, 4, 6, 6]


def test_answers_are_whole_when_a_stream_has_gone_for_good(tmp_path: Path) -> None:
    with CameraServer([head(), pictures(1, 12)], [head(), pictures(13, 15, size=(48, 32))]) as camera:
        stream = LiveStream(camera.url, QUICK)
        with pytest.raises(ConnectionError):
            predict_streams(made_predictor(), [stream], tmp_path, StreamOptions(), threading.Event())
    lines = read_lines(tmp_path / f"{stream.name}.jsonl")
    assert [line["size"] for line in lines] == [[48, 64]] * 12 + [[48, 32]] * 3
    assert {frame.shape for frame in read_pictures(tmp_path / f"{stream.name}.mp4")} == {(48, 64, 3)}


def test_a_size_that_changes_within_a_connection_ends_nothing() -> None:
    with CameraServer([head(), pictures(1, 5), pictures(6, 10, size=(96, 80))]) as camera:
        frames = list(islice(LiveStream(camera.url, QUICK), 10))
    assert numbers(frames) == pytest.approx(range(1, 11), abs=1)


def test_a_served_video_ends_where_it_ends_and_is_not_repeated_after_a_break(tmp_path: Path) -> None:
    stored = write_video(tmp_path / "clip.mp4", 40)
    data = with_index_first(stored.read_bytes())

    def whole(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)

    def part(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data[: len(data) * 3 // 4])

    begin = head("video/mp4", len(data))
    with CameraServer([begin, part], [begin, whole]) as server:
        stream = LiveStream(server.url, QUICK)
        assert stream.length == 40
        frames = list(stream)
    expected = list(StoredStream(stored))
    assert [frame.time for frame in frames] == pytest.approx([frame.time for frame in expected])
    assert numbers(frames) == pytest.approx(numbers(expected), abs=1)  # the frame that was cut is filled up


def with_index_first(data: bytes) -> bytes:
    """An mp4 whose `moov` box stands before its `mdat` box, as a player of half a file needs it."""
    boxes, place = {}, 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        boxes[data[place + 4 : place + 8]] = data[place : place + size]
        place += size
    moov = bytearray(boxes[b"moov"])
    table = moov.index(b"stco") + 8
    for entry in range(int.from_bytes(moov[table : table + 4], "big")):
        where = slice(table + 4 + 4 * entry, table + 8 + 4 * entry)
        moov[where] = (int.from_bytes(moov[where], "big") + len(moov)).to_bytes(4, "big")
    return boxes[b"ftyp"] + bytes(moov) + boxes.get(b"free", b"") + boxes[b"mdat"]


def test_variable_rate_keeps_times_and_length(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 20)
    slow_down(path, after=10)
    frames = list(StoredStream(path))
    steps = np.diff([frame.time for frame in frames]).round(3)
    assert steps.tolist() == [0.04] * 10 + [0.08] * 9
    (tmp_path / "out").mkdir()
    stream = StoredStream(path)
    predict_streams(made_predictor(), [stream], tmp_path / "out", StreamOptions(), threading.Event())
    shown = len(read_pictures(tmp_path / "out" / "clip.mp4")) / stream.fps
    assert shown == pytest.approx(10 * 0.04 + 9 * 0.08 + 1 / stream.fps, abs=1 / stream.fps)
    assert [line["time"] for line in read_lines(tmp_path / "out" / "clip.jsonl")][-1] == 1.12


def slow_down(path: Path, after: int) -> None:
    """Let the frames of an mp4 last twice as long after the first few."""
    data = bytearray(path.read_bytes().replace(b"edts", b"free"))  # or its edit list would cut it
    table = data.index(b"stts") + 8
    count, delta = (int.from_bytes(data[table + at : table + at + 4], "big") for at in (4, 8))
    entries = [2, after, delta, count - after, 2 * delta]
    data[table : table + 12] = b"".join(number.to_bytes(4, "big") for number in entries)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        where = slice(data.index(name) - 4, data.index(name))
        data[where] = (int.from_bytes(data[where], "big") + 8).to_bytes(4, "big")
    path.write_bytes(data)


def test_a_rotated_video_is_turned_as_players_do(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
    upper = np.zeros((48, 64, 3), np.uint8)
    upper[:24] = 200
    for _ in range(3):
        writer.write(upper)
    writer.release()
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    quarter = [0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30]
    data[matrix : matrix + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in quarter)
    path.write_bytes(data)
    (tmp_path / "out").mkdir()
    predict_streams(made_predictor(), [StoredStream(path)], tmp_path / "out", StreamOptions(), threading.Event())
    assert read_lines(tmp_path / "out" / "clip.jsonl")[0]["size"] == [64, 48]
    written = read_pictures(tmp_path / "out" / "clip.mp4")[0]
    assert written.shape == (64, 48, 3)
    assert written[60, 40:].mean() > 150  # clockwise: what was above is on the right
    assert written[60, :8].mean() < 50


def test_a_paced_video_takes_its_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 6)
    start = time.monotonic()
    assert len(list(StoredStream(path, paced=True))) == 6
    assert time.monotonic() - start >= 5 * 0.04


@pytest.mark.parametrize("wrong", [{"timeout": 0.0}, {"timeout": float("nan")}, {"attempts": -1}])
def test_waits_that_cannot_be_are_named(wrong: dict) -> None:
    with pytest.raises(ValueError, match="expected a timeout above 0"):
        Connection(**wrong)


def test_a_missing_camera_is_named() -> None:
    with pytest.raises(ConnectionError, match=r"camera 97: cannot be opened; check that it is plugged in"):
        open_streams("97", QUICK)


def test_an_address_that_does_not_answer_is_named_without_its_password() -> None:
    with CameraServer() as camera, pytest.raises(ConnectionError, match=r"/live/1: cannot be opened") as told:
        open_streams(camera.url, QUICK)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file:///etc/hosts", "file:///etc/hosts: expected one of http://"),
        ("http://[::1", r"http://\[::1: not an address: Invalid IPv6 URL"),
        ("99999999999999", "99999999999999: expected the number of a camera, 0 to 9999; a file is ./9"),
    ],
)
def test_addresses_of_other_kinds_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        open_streams(text, QUICK)


def test_nothing_is_not_the_current_folder() -> None:
    with pytest.raises(FileNotFoundError, match="got an empty text; the folder you are in is"):
        open_streams("", QUICK)


@pytest.mark.parametrize("password", ["secret", "sec/ret", "sec#ret", "sec?ret", "sec@ret", "12/ret", "s@c/r@t"])
def test_a_password_is_in_no_message_however_it_is_written(password: str) -> None:
    with pytest.raises(
        ConnectionError, match=r"^rtsp://127\.0\.0\.1:9/live: cannot be opened; .*%2F %3F %23 %40"
    ) as told:
        open_streams(f"rtsp://admin:{password}@127.0.0.1:9/live?token=secret", QUICK)
    assert password not in str(told.value)
    assert "ret" not in str(told.value)


def test_a_file_over_http_without_a_known_length_has_an_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "propagate", True)
    write_video(tmp_path / "clip.ts", 40)
    (tmp_path / "live.m3u8").write_text("#EXTM3U\n")
    handler = partial(QuietFiles, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://user:p%40ss@127.0.0.1:{server.server_port}"
        stream = LiveStream(f"{address}/clip.ts", QUICK)
        frames = list(stream)
        assert not _is_stored(f"{address}/live.m3u8", 1.0)
    finally:
        server.shutdown()
        server.server_close()
    assert stream.length is None  # as OpenCV does not know it
    assert numbers(frames) == pytest.approx(range(1, 41), abs=1)
    assert frames[20].time - frames[10].time == pytest.approx(0.4)  # its own
    assert set(re.findall(r"no frame after number (\d+); connecting again", caplog.text)) == {"40"}


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.avi", 5, codec="MJPG").rename("cam:12:30.avi")
    predict_streams(made_predictor(), open_streams("cam:12:30.avi", QUICK), Path(), StreamOptions(), threading.Event())
    assert len(read_pictures((tmp_path / "cam:12:30.mp4").absolute())) == 5


def test_closing_ends_the_wait_for_the_time_of_a_frame(tmp_path: Path) -> None:
    slow = tmp_path / "slow.avi"
    writer = cv2.VideoWriter(str(slow), cv2.VideoWriter.fourcc(*"MJPG"), 0.05, (64, 48))
    for number in (1, 2):
        writer.write(picture(number))
    writer.release()
    stream = StoredStream(slow, paced=True)
    threading.Timer(0.3, stream.close).start()
    start = time.monotonic()
    assert len(list(stream)) == 1
    assert time.monotonic() - start < 10  # and not the 20 seconds to the second frame


def test_what_else_a_folder_has_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "propagate", True)
    logger.setLevel("INFO")
    for name in ("a.mp4", "b.M4V", "c.gif", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "more.mp4").mkdir()
    assert [path.name for path in find_sources(str(tmp_path))] == ["a.mp4", "b.M4V"]
    assert "2 videos; left out, as they are none: c.gif, more.mp4, notes.txt" in caplog.text


def test_a_broken_stream_is_no_hindrance_to_numbers_of_tracks(tmp_path: Path) -> None:
    pause = MadeStream("cam", [(48, 64)] * 10, times=[*np.arange(5) / 25, *(30 + np.arange(5) / 25)])
    predict_streams(made_predictor(), [pause], tmp_path, StreamOptions(), threading.Event())
    (tube,) = json.loads((tmp_path / "cam.tubes.json").read_text())["tubes"]
    assert tube["frames"] == list(range(1, 11))


def test_closing_ends_a_long_wait() -> None:
    with CameraServer([head(), pictures(1, 3)]) as camera:
        stream = LiveStream(camera.url, replace(QUICK, first_wait=1000.0, longest_wait=1000.0))
        threading.Timer(0.3, stream.close).start()
        assert len(list(stream)) == 3


class GetOnly(SimpleHTTPRequestHandler):
    """Stored files, by GET alone and without their length."""

    protocol_version = "HTTP/1.0"
    says_length = True

    def do_HEAD(self) -> None:
        self.send_error(403)

    def send_header(self, keyword: str, value: str) -> None:
        if self.says_length or keyword != "Content-Length":
            super().send_header(keyword, value)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize("suffix", ["ts", "mkv"])
def test_a_stored_video_of_a_server_that_refuses_head_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_length: bool, suffix: str
) -> None:
    source = write_video(tmp_path / "clip.mp4", 12)
    codec, container = ("mpeg2video", "mpegts") if suffix == "ts" else ("mpeg4", "matroska")
    path = remuxed(source, tmp_path / f"clip.{suffix}", codec, container)
    monkeypatch.setattr(GetOnly, "says_length", says_length)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(GetOnly, directory=str(path.parent))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        stream = LiveStream(f"http://127.0.0.1:{server.server_port}/{path.name}", QUICK)
        frames = list(islice(stream, 30))
        server.shutdown()
    assert len(frames) == 12


def test_a_header_that_trickles_is_not_waited_for() -> None:
    """Each byte comes in time, all of them never."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connected = listener.accept()[0]
                    threading.Thread(target=trickle, args=(connected,), daemon=True).start()

        threading.Thread(target=answer, daemon=True).start()
        start = time.monotonic()
        assert not _is_stored(f"http://127.0.0.1:{listener.getsockname()[1]}/v.mp4", 0.3)
    assert time.monotonic() - start < 5


def trickle(connected: socket.socket) -> None:
    with connected, contextlib.suppress(OSError):
        connected.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        while True:
            connected.sendall(b"a")
            time.sleep(0.05)


def remuxed(source: Path, path: Path, codec: str, container: str) -> Path:
    """A video of PyAV in a container that need not tell its length."""
    av = pytest.importorskip("av")
    options = {"live": "1"} if container == "matroska" else {}
    with av.open(str(source)) as read, av.open(str(path), "w", container, options=options) as write:
        stream = write.add_stream(codec, rate=25)
        stream.pix_fmt, (stream.width, stream.height) = "yuv420p", (64, 48)
        for frame in read.decode(video=0):
            frame.pict_type = 0
            write.mux(stream.encode(frame))
        write.mux(stream.encode(None))
    return path
