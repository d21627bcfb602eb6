"""The live page's server without a browser."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import pytest
from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient, TestServer

from paddlevideo.serve import app as serve_app
from paddlevideo.serve.app import MAX_PICTURE, make_app
from paddlevideo.serve.network import SharedNetwork
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.types import Arrays, Meta, Prediction
from tests.tasks.streams import ClipReader, made, made_predictor, picture, predicted_lines, write_video

LIMIT = 100_000  # bytes of an upload


@pytest.fixture(autouse=True)
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Path]:
    """Where videos are while they are looked at; nothing is left there, and nothing failed that was not foreseen."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


@asynccontextmanager
async def client_of(network: ClipReader | None = None, sessions: int = 2, **options: Any) -> AsyncIterator[TestClient]:
    shared = SharedNetwork(made_predictor(network), 0.05, sessions)
    async with TestClient(TestServer(make_app(shared, LIMIT, **options))) as client:
        yield client


def jpeg(number: int, size: tuple[int, int] = (48, 64)) -> bytes:
    return cv2.imencode(".jpg", picture(number, size))[1].tobytes()


class Gate:
    """Lets a network go on when it is told to."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, number: int) -> None:
        self.reached.set()
        assert self.open.wait(30)


def test_a_video_is_answered_with_the_lines_that_the_command_writes(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 12)
    expected = predicted_lines(video, 0.05)

    async def scenario() -> None:
        async with client_of() as client:
            answer = await client.post("/video", data=video.read_bytes())
            assert answer.status == 200
            assert [json.loads(line) for line in (await answer.read()).splitlines()] == expected

    asyncio.run(scenario())


def test_a_line_comes_before_the_next_frame_is_looked_at(tmp_path: Path) -> None:
    gate = Gate()
    network = ClipReader(before=lambda number: number == 2 and gate(number))

    async def scenario() -> None:
        async with client_of(network) as client:
            answer = await client.post("/video", data=write_video(tmp_path / "a.mp4", 5).read_bytes())
            assert json.loads(await answer.content.readline())["frame"] == 1
            gate.open.set()
            assert len((await answer.read()).splitlines()) == 4

    asyncio.run(scenario())


def body_of(length: int, told: bool) -> Any:
    """A body whose length is told before it comes or not."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(length // 1000):
            yield bytes(1000)

    return bytes(length) if told else parts()


@pytest.mark.parametrize("told", [True, False])
def test_a_video_that_is_too_large_is_refused(told: bool) -> None:
    async def scenario() -> None:
        async with client_of() as client:
            answer = await client.post("/video", data=body_of(LIMIT + 1000, told))
            assert answer.status == 413
            assert "0.1 MB" in await answer.text()

    asyncio.run(scenario())


_NARROW = cv2.imencode(".jpg", picture(1))[1].tobytes()
WIDE = _NARROW.replace(struct.pack(">HH", 48, 64), struct.pack(">HH", 16384, 16384), 1)  # in its header


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "not a video"),
        (b"no video", "not a video"),
        (b"#EXTM3U\0\n#EXTINF:1\n/etc/hostname\n", "not a video"),
        (b"\0\0\0\x18ftypisom" + bytes(500), "the video: cannot be opened as a video"),
    ],
)
def test_what_is_no_video_is_refused(body: bytes, complaint: str) -> None:
    async def scenario() -> None:
        async with client_of() as client:
            answer = await client.post("/video", data=body)
            assert answer.status == 415
            assert (await answer.text()).startswith(complaint)

    asyncio.run(scenario())


def test_a_video_with_huge_frames_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paddlevideo.serve.media.MAX_PIXELS", 48 * 64 - 1)

    async def scenario() -> None:
        async with client_of() as client:
            answer = await client.post("/video", data=write_video(tmp_path / "a.mp4", 2).read_bytes())
            assert answer.status == 415
            assert "got 64x48" in await answer.text()

    asyncio.run(scenario())


def test_an_error_on_the_way_is_the_last_line(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number == 3:
            raise ValueError("the network is tired")

    async def scenario() -> None:
        async with client_of(ClipReader(before=fail)) as client:
            answer = await client.post("/video", data=write_video(tmp_path / "a.mp4", 5).read_bytes())
            lines = [json.loads(line) for line in (await answer.read()).splitlines()]
            assert [line.get("frame") for line in lines] == [1, 2, None]
            assert lines[2] == {"error": "the network is tired"}

    asyncio.run(scenario())


async def becomes(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it did not happen")


async def begin_upload(client: TestClient, data: bytes) -> asyncio.StreamWriter:
    """A connection that has sent `data` of a video of 50000 bytes."""
    _, writer = await asyncio.open_connection(client.host, client.port)
    head = f"POST /video HTTP/1.1\r\nHost: {client.host}:{client.port}\r\nContent-Length: 50000\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()
    return writer


def test_nothing_is_left_of_an_upload_that_is_aborted(uploads: Path) -> None:
    async def scenario() -> None:
        async with client_of(sessions=1) as client:
            writer = await begin_upload(client, bytes(20_000))
            await becomes(lambda: [f.stat().st_size for f in uploads.glob("*/*")] == [20_000])
            assert (await client.post("/video", data=b"second")).status == 503
            writer.close()
            await becomes(lambda: not list(uploads.iterdir()))
            assert (await client.post("/video", data=b"third")).status == 415  # there is a place again

    asyncio.run(scenario())


def test_an_upload_that_stalls_is_given_up(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_app, "PATIENCE", 0.3)

    async def scenario() -> None:
        async with client_of() as client:
            writer = await begin_upload(client, bytes(20_000))
            await becomes(lambda: bool(list(uploads.iterdir())))
            await becomes(lambda: not list(uploads.iterdir()))
            writer.close()

    asyncio.run(scenario())


def test_a_disk_without_room_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "video").symlink_to("/dev/full")
    monkeypatch.setattr(serve_app, "TemporaryDirectory", lambda prefix: nullcontext(str(tmp_path / "full")))

    async def scenario() -> None:
        async with client_of() as client:
            answer = await client.post("/video", data=bytes(50_000))
            assert answer.status == 507
            assert "no room" in await answer.text()

    asyncio.run(scenario())
    assert "No space left" in caplog.text
    caplog.clear()


def test_work_on_a_video_ends_when_the_browser_leaves(tmp_path: Path, uploads: Path) -> None:
    network = ClipReader()

    async def scenario() -> None:
        async with client_of(network) as client:
            answer = await client.post("/video", data=write_video(tmp_path / "a.mp4", 2000, (16, 16)).read_bytes())
            await answer.content.readline()
            answer.close()
            await becomes(lambda: not list(uploads.iterdir()))
            assert len(network.sizes) < 2000

    asyncio.run(scenario())


def test_pictures_of_a_camera_are_answered_in_order() -> None:
    async def scenario() -> None:
        async with client_of() as client, client.ws_connect("/camera") as socket:
            for number in range(1, 6):
                await socket.send_bytes(jpeg(number))
                line = await socket.receive_json(timeout=30)
                assert (line["frame"], line["size"]) == (number, [48, 64])
                (found,) = line["detections"]
                # grey 3 * number; the decoder may be off by a level
                assert found["score"] == pytest.approx(0.5 + 0.003 * number, abs=0.0011)
                assert (found["label"], found["track"]) == ("Run", 1)

    asyncio.run(scenario())


def test_the_newest_picture_wins_and_the_others_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paddlevideo.serve.media.WAITING_PICTURES", 8)
    gate = Gate()

    async def scenario() -> None:
        async with client_of(ClipReader(before=gate)) as client, client.ws_connect("/camera") as socket:
            for number in range(1, 9):
                await socket.send_bytes(jpeg(number))
                await asyncio.sleep(0.1)
            assert gate.reached.is_set()
            gate.open.set()
            lines = [await socket.receive_json(timeout=30) for _ in range(8)]
            assert [line["frame"] for line in lines] == list(range(1, 9))
            answered = [line["frame"] for line in lines if "dropped" not in line]
            assert answered[0] == 1 and answered[-1] == 8 and len(answered) < 8

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (b"garbage", "expected a JPEG picture, got 7 other bytes"),
        (jpeg(1)[:-40], "not a complete JPEG"),
        (cv2.imencode(".png", picture(1))[1].tobytes(), "expected a JPEG picture"),
        (WIDE, "got 16384x16384"),
        ("text", "got TEXT"),
    ],
)
def test_what_is_no_picture_ends_the_connection(sent: bytes | str, complaint: str) -> None:
    async def scenario() -> None:
        async with client_of() as client, client.ws_connect("/camera") as socket:
            await (socket.send_bytes(sent) if isinstance(sent, bytes) else socket.send_str(sent))
            assert complaint in (await socket.receive_json(timeout=30))["error"]
            assert (await socket.receive(timeout=30)).type is WSMsgType.CLOSE

    asyncio.run(scenario())


def test_a_picture_of_too_many_bytes_ends_the_connection() -> None:
    async def scenario() -> None:
        async with client_of() as client, client.ws_connect("/camera") as socket:
            await socket.send_bytes(bytes(MAX_PICTURE + 1))
            closed = await socket.receive(timeout=30)
            assert (closed.type, closed.data) == (WSMsgType.CLOSE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)

    asyncio.run(scenario())


def test_a_camera_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_app, "PATIENCE", 0.3)

    async def scenario() -> None:
        async with client_of() as client, client.ws_connect("/camera") as socket:
            assert "no picture for 0.3 s" in (await socket.receive_json(timeout=30))["error"]

    asyncio.run(scenario())


def test_no_more_sessions_than_allowed() -> None:
    async def scenario() -> None:
        async with client_of(sessions=1) as client, client.ws_connect("/camera") as first:
            await first.send_bytes(jpeg(1))
            await first.receive_json(timeout=30)
            async with client.ws_connect("/camera") as second:
                assert "all 1 places are taken" in (await second.receive_json(timeout=30))["error"]
            assert (await client.post("/video", data=b"x")).status == 503
            await first.close()
            async with client.ws_connect("/camera") as third:
                await third.send_bytes(jpeg(1))
                assert (await third.receive_json(timeout=30))["frame"] == 1

    asyncio.run(scenario())


def test_sessions_take_turns_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    order, threads = [], set()
    predictor = made_predictor(ClipReader(before=lambda number: time.sleep(0.02)))

    def batch(inputs: Arrays, meta: list[Meta]) -> list[Prediction]:
        order.append(meta[0]["id"].partition("/")[0])
        threads.add(threading.get_ident())
        return Predictor.batch(predictor, inputs, meta)

    monkeypatch.setattr(predictor, "batch", batch)
    network = SharedNetwork(predictor, 0.05, 2)

    async def follow(name: str) -> list[int]:
        with network.session() as stop:
            return [line["frame"] async for line in network.lines(made(name, 30), stop, realtime=False)]

    async def scenario() -> None:
        assert await asyncio.gather(follow("a"), follow("b")) == [list(range(1, 31))] * 2

    asyncio.run(scenario())
    network.close()
    assert len(threads) == 1
    assert 10 < order[:40].count("a") < 30  # none was served to its end before the other


def test_the_end_of_the_server_is_an_error_for_its_sessions(tmp_path: Path) -> None:
    async def scenario() -> None:
        shared = SharedNetwork(made_predictor(), 0.05, 1)
        async with TestClient(TestServer(make_app(shared, LIMIT))) as client, client.ws_connect("/camera") as socket:
            await socket.send_bytes(jpeg(1))
            await socket.receive_json(timeout=30)
            shared.end_sessions()
            assert "the server was stopped" in (await socket.receive_json(timeout=30))["error"]

    asyncio.run(scenario())


FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "localhost.evil.example:8000"},
    {"Host": "[::1"},
    {"Host": "127.0.0.1.evil.example"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/facts"), ("POST", "/video"), ("GET", "/camera")])
def test_other_sites_are_refused(method: str, path: str, headers: dict[str, str]) -> None:
    async def scenario() -> None:
        async with client_of() as client:
            assert (await client.request(method, path, headers=headers)).status == 403

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "192.168.1.2:8000", "desk.lan", "LOCALHOST", "DESK.lan"]
)
def test_its_own_page_is_served(host: str) -> None:
    async def scenario() -> None:
        async with client_of(host="Desk.lan") as client:
            answer = await client.get("/facts", headers={"Host": host, "Origin": f"http://{host}"})
            assert await answer.json() == {"classes": ["Sit", "Run"], "threshold": 0.05, "max_upload": LIMIT}

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/no/such", "/../app.py", "/page/../app.py"])
def test_pages_load_nothing_from_elsewhere(path: str) -> None:
    async def scenario() -> None:
        async with client_of() as client:
            answer = await client.get(path)
            assert answer.status == (200 if path in ("/", "/page.css", "/page.js") else 404)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "://" not in (await answer.text())

    asyncio.run(scenario())
