"""Listening: what slow, many and malformed connections get, and the end of the server."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import WSMsgType
from aiohttp.http_exceptions import BadHttpMessage

from paddlevideo.loader.media.picture_header import read_picture_header
from paddlevideo.serve import app as serve_app
from paddlevideo.serve import connections as serve_connections
from paddlevideo.serve import server as serve_server
from paddlevideo.serve.app import make_app
from paddlevideo.serve.network import SharedNetwork
from paddlevideo.serve.server import RepeatFilter, few_repeats, listening, serve
from tests.serve.test_app import Gate, jpeg
from tests.tasks.streams import ClipReader, made_predictor, write_video

LIMIT = 1_000_000  # bytes of an upload


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing failed that was not foreseen, and nobody waits long."""
    monkeypatch.setattr(serve_app, "FAREWELL", 0.3)
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.exc_info] == []


class Peer:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self, seconds: float = 20) -> bytes:
        """All that still comes until the server closes; what it has sent before it resets the connection counts."""
        received = b""
        try:
            while data := await asyncio.wait_for(self.reader.read(65536), seconds):
                received += data
        except ConnectionError:
            pass
        return received

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@asynccontextmanager
async def peer_of(port: int) -> AsyncIterator[Peer]:
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield peer
    finally:
        await peer.close()


@asynccontextmanager
async def peers_of(port: int, count: int) -> AsyncIterator[list[Peer]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(peer_of(port)) for _ in range(count)]


@asynccontextmanager
async def port_of_server(network: ClipReader | None = None, sessions: int = 2) -> AsyncIterator[int]:
    shared = SharedNetwork(made_predictor(network), 0.05, sessions)
    async with listening(make_app(shared, LIMIT), "127.0.0.1", 0) as port:
        yield port


@asynccontextmanager
async def socket_of(port: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/camera") as socket:
        yield socket


def request(path: bytes = b"/facts", method: bytes = b"GET", headers: bytes = b"", body: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if method == b"POST" and b"Content-Length" not in headers else b""
    return b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s%s\r\n%s" % (
        method,
        path,
        headers,
        length,
        body,
    )


async def answer_to(port: int, data: bytes) -> bytes:
    async with peer_of(port) as peer:
        await peer.send(data)
        return await peer.rest()


def test_a_header_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_server, "HEADER_SECONDS", 0.5)

    async def scenario() -> None:
        async with port_of_server() as port, peers_of(port, 3) as (silent, slow, second):
            await second.send(request().replace(b"Connection: close\r\n", b"") + b"GET / HTTP/1.1\r\nX: ")
            with pytest.raises(ConnectionError):
                for _ in range(100):
                    await slow.send(b"GET / HTTP/1.1\r\nX: " if _ == 0 else b"x")  # each byte in time, the whole not
                    await asyncio.sleep(0.1)
            assert await silent.rest() == b""
            assert (await second.rest()).startswith(b"HTTP/1.1 200")
            assert (await answer_to(port, request())).startswith(b"HTTP/1.1 200")

    asyncio.run(scenario())


@pytest.mark.parametrize("bound", ["MAX_CONNECTIONS", "MAX_OF_ADDRESS"])
def test_many_idle_connections_lock_nobody_out(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(serve_connections, bound, 10)
    gate = Gate()

    async def scenario() -> None:
        async with port_of_server(ClipReader(before=gate)) as port, socket_of(port) as socket:
            await socket.send_bytes(jpeg(1))
            await asyncio.to_thread(gate.reached.wait)  # a connection that is the oldest, but not idle
            async with peers_of(port, 40) as idle:
                assert (await answer_to(port, request())).startswith(b"HTTP/1.1 200")
                assert [await peer.rest() for peer in idle[:30]] == [b""] * 30  # they made room
                await idle[-1].send(request())
                assert (await idle[-1].rest()).startswith(b"HTTP/1.1 200")
            gate.open.set()
            assert (await socket.receive_json())["frame"] == 1

    asyncio.run(scenario())


def test_one_client_with_many_sockets_leaves_those_that_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_connections, "MAX_OF_ADDRESS", 3)

    async def scenario() -> None:
        async with port_of_server(sessions=1) as port, socket_of(port) as first:
            for number in range(1, 6):
                async with socket_of(port) as another:
                    assert "all 1 places are taken" in (await another.receive_json())["error"]
                await first.send_bytes(jpeg(number))
                assert (await first.receive_json())["frame"] == number

    asyncio.run(scenario())


def test_no_room_is_made_by_closing_what_is_busy() -> None:
    transport = Mock(asyncio.Transport)
    transport.is_closing.return_value, transport.get_extra_info.return_value = False, ("10.0.0.1", 1)

    connections = serve_connections.Connections()
    held: list[Any] = [Mock(transport=transport) for _ in range(serve_connections.MAX_OF_ADDRESS)]
    connections._busy.update(held)
    assert not connections.make_room(held, "10.0.0.1")
    assert connections.make_room(held, "10.0.0.2")
    assert not transport.abort.called


def test_an_upload_that_trickles_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_app, "PATIENCE", 0.6)

    async def trickle(port: int, head: bytes, part: bytes) -> bytes:
        async with peer_of(port) as peer:
            await peer.send(request(b"/video", b"POST", head))
            answer = asyncio.create_task(peer.reader.readuntil(b"send it again"))
            while not answer.done():
                await peer.send(part)
                await asyncio.sleep(0.1)
            return await answer

    async def scenario() -> None:
        async with port_of_server(sessions=1) as port:
            told = await trickle(port, b"Content-Length: 1000\r\n", b"0")
            chunked = await trickle(port, b"Transfer-Encoding: chunked\r\nX-Content-Length: 1\r\n", b"1\r\n0\r\n")
            for answer in (told, chunked):
                assert answer.startswith(b"HTTP/1.1 400") and b"did not come whole" in answer
            assert b"415" in await answer_to(port, request(b"/video", b"POST", body=b"no video"))

    asyncio.run(scenario())


def test_who_does_not_take_the_frames_loses_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile the server does not work ahead: what waits for the browser is bounded."""
    monkeypatch.setattr(serve_app, "PATIENCE", 0.5)
    network = ClipReader()
    monkeypatch.setattr("paddlevideo.serve.network.encode_frame", lambda *_: "x" * 1_000_000)
    video = write_video(tmp_path / "long.mp4", 300).read_bytes()

    async def scenario() -> None:
        async with port_of_server(network, sessions=1) as port, peer_of(port) as deaf:
            await deaf.send(request(b"/video?pictures=64", b"POST", body=video))
            again = request(b"/video", b"POST", body=b"no video")
            await deaf.reader.readuntil(b'"frame": 1')
            while b"HTTP/1.1 503" in await answer_to(port, again):
                await asyncio.sleep(0.1)
            assert b"HTTP/1.1 415" in await answer_to(port, again)
            assert len(network.sizes) < 50

    asyncio.run(scenario())


ON_LINUX = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux ends such connections")


@pytest.mark.parametrize("seconds", [pytest.param(1, marks=ON_LINUX), 60])
def test_who_does_not_read_pages_is_cut_off(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """By the system after a while, or as soon as another connection needs the room."""
    monkeypatch.setattr(serve_connections, "UNREAD_SECONDS", seconds)
    monkeypatch.setattr(serve_connections, "MAX_OF_ADDRESS", 100 if seconds == 1 else 2)
    monkeypatch.setattr(serve_server, "HEADER_SECONDS", 60)
    several = 2000 * request(b"/page.js").replace(b"Connection: close\r\n", b"")

    async def scenario() -> None:
        async with port_of_server() as port, peers_of(port, 2) as (deaf, other):
            deaf.writer.transport.pause_reading()
            deaf.writer.write(several)
            await asyncio.sleep(0.3)
            assert (await answer_to(port, request())).startswith(b"HTTP/1.1 200")
            deadline = time.monotonic() + 20
            while not deaf.writer.is_closing():  # what it writes meets a connection that is no more
                assert time.monotonic() < deadline
                with suppress(ConnectionError):
                    deaf.writer.write(b"x")
                await asyncio.sleep(0.1)
            await other.close()

    asyncio.run(scenario())


def test_lines_have_pictures_no_larger_than_asked(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 3, (48, 64)).read_bytes()

    async def widths(port: int, limit: int) -> list[int]:
        answer = await answer_to(port, request(b"/video?pictures=%d" % limit, b"POST", body=video))
        texts = re.findall(rb'"picture": "([^"]+)"', answer)
        return [read_picture_header(base64.b64decode(text)).width for text in texts]

    async def scenario() -> None:
        async with port_of_server() as port:
            assert await widths(port, 32) == [32] * 3
            assert await widths(port, 5000) == [64] * 3  # never larger than they are
            assert await widths(port, 1) == [1] * 3

    asyncio.run(scenario())


def test_a_body_that_ends_early_gives_its_place_back() -> None:
    async def scenario() -> None:
        async with port_of_server(sessions=1) as port:
            async with peer_of(port) as peer:
                await peer.send(request(b"/video", b"POST", b"Content-Length: 1000\r\n", b"short"))
            assert b"HTTP/1.1 415" in await answer_to(port, request(b"/video", b"POST", body=b"no video"))

    asyncio.run(scenario())


def test_a_socket_without_pictures_is_given_up_though_it_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_app, "PATIENCE", 0.5)

    async def scenario() -> None:
        async with port_of_server() as port, socket_of(port) as socket:

            async def ping() -> None:
                while True:
                    await socket.ping()
                    await asyncio.sleep(0.1)

            pings = asyncio.create_task(ping())
            assert "no picture for 0.5 s" in (await socket.receive_json(timeout=20))["error"]
            pings.cancel()

    asyncio.run(scenario())


NO_TEXT = [
    request().replace(b"Host: 127.0.0.1", b"Host: \xff\xfe"),
    request(headers=b"Origin: http://\xff\r\n"),
    request(headers=b"X-Other: \xe4\r\n"),
    request(b"/\xff"),
    request(b"/?\xff"),
    request(headers=b"X\xff: a\r\n"),
    request(b"/video?pictures=%ff", b"POST"),
    request(b"/video?pictures=0", b"POST"),
    request(b"/video?pictures=-5", b"POST"),
    request(b"/camera", headers=b"Upgrade: websocket\r\nSec-WebSocket-Protocol: \xff\r\n"),
    request(headers=b"X: " + bytes(1000)),
    request(headers=b"X: " + 1_000_000 * b"a" + b"\r\n"),
    request(headers=b"".join(b"X%d: a\r\n" % number for number in range(1000))),
    request(b"/" + 100_000 * b"a"),
    request(b"/video", b"POST", b"Content-Length: -1\r\n"),
    request(b"/video", b"POST", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    request(b"/video", b"POST", b"Transfer-Encoding: chunked\r\nX-Content-Length: 1\r\n", b"zz\r\n"),
    request(method=b"BREW"),
    b"\x16\x03\x01" + bytes(200),
    b"A" * 20_000,
]


@pytest.mark.parametrize("data", NO_TEXT, ids=lambda data: repr(data[:50]))
def test_what_is_no_request_is_answered_with_400(data: bytes) -> None:
    async def scenario() -> None:
        with few_repeats():
            async with port_of_server() as port:
                assert (await answer_to(port, data)).startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))

    asyncio.run(scenario())


OTHERS = [
    (request(headers="X-Other: ä\r\n".encode()), b"200"),
    (request(method=b"HEAD"), b"200"),
    (request(method=b"PUT"), b"405"),
    (request(b"/video"), b"405"),
    (request(b"/%ff%fe"), b"404"),
    (request(b"/%2e%2e/%2e%2e/etc/passwd"), b"404"),
    (request(b"/..%2fapp.py"), b"404"),
    (request(b"/page.css%00"), b"404"),
    (request(b"//etc/passwd"), b"404"),
    (request(b"/video", b"POST", b"Content-Encoding: gzip\r\n", b"abc"), b"415"),
    (request(b"/video", b"POST", b"Expect: 100-continue\r\n", b"no video"), b"415"),
    (request(b"/video", b"POST", b"Expect: more\r\n", b"no video"), b"417"),
]


@pytest.mark.parametrize(("data", "status"), OTHERS, ids=lambda value: repr(value[:50]))
def test_unusual_requests(data: bytes, status: bytes) -> None:
    async def scenario() -> None:
        async with port_of_server() as port:
            answer = (await answer_to(port, data)).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 " + status)

    asyncio.run(scenario())


def test_requests_in_a_row_are_answered_in_a_row() -> None:
    async def scenario() -> None:
        async with port_of_server() as port:
            several = 99 * request().replace(b"Connection: close\r\n", b"") + request()
            assert (await answer_to(port, several)).count(b"HTTP/1.1 200") == 100

    asyncio.run(scenario())


@pytest.mark.parametrize("message", [b"\xff\xfe", b"{", b"\x00"])
def test_text_on_a_socket_is_refused(message: bytes) -> None:
    """Also text that is not UTF-8."""

    async def scenario() -> None:
        async with port_of_server() as port, socket_of(port) as socket:
            await socket._writer.send_frame(message, WSMsgType.TEXT)
            answers = [await socket.receive(timeout=20) for _ in range(2)]
            assert answers[-1].type in (WSMsgType.CLOSE, WSMsgType.CLOSED)

    asyncio.run(scenario())


def test_the_end_of_the_server_is_told_to_uploads_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal while one video comes, another is answered and a third is answered to somebody who does not read."""
    network = ClipReader(before=lambda number: time.sleep(0.01))
    video = write_video(tmp_path / "endless.mp4", 3000).read_bytes()
    shared, answers = SharedNetwork(made_predictor(network), 0.05, 3), []
    port: list[int] = []
    monkeypatch.setattr(serve_server.logger, "info", lambda text, *values: port.extend(values[1:2]))
    ended = threading.Event()

    async def visit() -> None:
        while not port:
            await asyncio.sleep(0.05)
        async with peers_of(port[0], 4) as peers:
            await follow(*peers)

    async def follow(half: Peer, header: Peer, busy: Peer, deaf: Peer) -> None:
        await half.send(request(b"/video", b"POST", b"Content-Length: %d\r\n" % len(video), video[:100]))
        await header.send(b"GET / HTTP/1.1\r\nX: ")
        for peer in (busy, deaf):
            await peer.send(request(b"/video", b"POST", body=video))
        await busy.reader.readuntil(b'"frame": 1')
        os.kill(os.getpid(), signal.SIGTERM)
        answers.extend(await asyncio.gather(half.rest(), header.rest(), busy.rest()))
        await asyncio.to_thread(ended.wait)

    visitor = threading.Thread(target=asyncio.run, args=(visit(),))
    visitor.start()
    try:
        start = time.monotonic()
        serve(make_app(shared, LIMIT), "127.0.0.1", 0)
        assert time.monotonic() - start < 15
    finally:
        ended.set()
        visitor.join()
    assert answers[0].startswith(b"HTTP/1.1 503") and b"the server was stopped before the end" in answers[0]
    assert answers[1] == b""
    assert b'{"error": "the server was stopped before the end' in answers[2]


def test_messages_do_not_repeat_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(serve_server.time, "monotonic", lambda: now[0])
    repeats = RepeatFilter()

    def pass_on(text: str, line: int, error: Exception | None = None) -> str | None:
        cause = None if error is None else (type(error), error, None)
        record = logging.LogRecord("x", logging.ERROR, "a.py", line, "%s", (text,), cause)
        return record.getMessage() if repeats.filter(record) and not record.exc_info else None

    assert [pass_on("full", 1) for _ in range(1000)] == ["full"] * 5 + [None] * 995
    assert pass_on("other", 2) == "other"
    now[0] = 61.0
    assert pass_on("full", 1) == "full (995 more were not written)"
    assert pass_on("bad", 3, BadHttpMessage("no method\n\n  here")) == "bad: no method"
