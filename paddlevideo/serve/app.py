"""The web server: a page, videos in and lines out, and a socket for cameras."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable
from contextlib import aclosing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

from paddlevideo.serve.connections import Connections
from paddlevideo.serve.guard import add_headers, only_own_page, only_text
from paddlevideo.serve.media import CameraStream, UploadedStream, check_video
from paddlevideo.serve.network import BusyError, Session, SharedNetwork
from paddlevideo.tasks.writers import encode_line
from paddlevideo.utils.files import to_json
from paddlevideo.utils.logging import logger

T = TypeVar("T")
_CLOSING = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)
PAGE = Path(__file__).with_name("page")
PAGE_FILES = {"index.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
MAX_PICTURE = 2 << 20  # bytes of a camera's picture
MAX_SIDE = 1920  # pixels of a picture for the page
PATIENCE = 30.0  # seconds that a browser may neither send nor take anything
LEAST_RATE = 20_000  # bytes a second that it has to send or take on average, once these seconds are over
FAREWELL = 1.0  # seconds that it has to take the last message
CONNECTIONS = web.AppKey("connections", Connections)


def make_app(network: SharedNetwork, max_upload: int, host: str = "127.0.0.1") -> web.Application:
    """The application.

    Args:
        network: closed with the application.
        max_upload: bytes of a video.
        host: that it will be bound to.

    Raises:
        ValueError: a limit that lets nothing through.
    """
    if max_upload < 1:
        raise ValueError(f"--max-upload should be above 0, got {max_upload} bytes")
    live = Live(network, max_upload)
    connections = Connections()
    app = web.Application(middlewares=[connections.follow, only_text, only_own_page(host)])
    app[CONNECTIONS] = connections
    app.on_response_prepare.append(add_headers)
    app.add_routes([web.get(f"/{name}", _file(name)) for name in ("page.css", "page.js")])
    app.add_routes([web.get("/", _file("index.html")), web.get("/facts", live.facts)])
    app.add_routes([web.post("/video", live.video), web.get("/camera", live.camera)])
    app.on_shutdown.append(live.end)
    app.on_cleanup.append(live.close)
    return app


def _file(name: str) -> Handler:
    """Sends a file of the page from memory: sending it from disk cannot be cut off in order."""
    body = (PAGE / name).read_bytes()

    async def send(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=PAGE_FILES[name], charset="utf-8")

    return send


class Live:
    """What the page asks for.

    Args:
        network: of all sessions.
        max_upload: bytes of a video.
    """

    def __init__(self, network: SharedNetwork, max_upload: int) -> None:
        self.network, self.max_upload = network, max_upload

    async def facts(self, _: web.Request) -> web.StreamResponse:
        """What the page has to know."""
        classes, threshold = self.network.predictor.classes, self.network.threshold
        return web.json_response({"classes": classes, "threshold": threshold, "max_upload": self.max_upload})

    async def video(self, request: web.Request) -> web.StreamResponse:
        """A video as the request's body; the answer is a JSON line a frame as it is found, maybe an `error` at last.

        With `?pictures=N` every line has its frame as `picture`, a JPEG file in base64 of at most N pixels a side.
        """
        self._check_length(request.content_length or 0)
        if (encoding := request.headers.get("Content-Encoding", "identity")) != "identity":
            raise web.HTTPUnsupportedMediaType(text=f"a video should be sent as it is, not with encoding {encoding}")
        pictures = _picture_limit(request)
        try:
            with self.network.session() as session, TemporaryDirectory(prefix="paddlevideo-") as folder:
                path = Path(folder) / "video"  # the browser has no say in it
                await self._store(request, path, Pace(session))
                return await self._answer(request, path, session, pictures)
        except BusyError as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from error
        except ConnectionAbortedError as error:
            return await _end_upload(request, str(error))

    async def camera(self, request: web.Request) -> web.StreamResponse:
        """A socket: JPEG pictures in, JSON lines out, maybe an `error` at last."""
        socket = web.WebSocketResponse(max_msg_size=MAX_PICTURE, heartbeat=PATIENCE, timeout=FAREWELL, compress=False)
        await socket.prepare(request)
        try:
            with self.network.session() as session:
                await self._follow(socket, session)
        except ConnectionResetError as error:
            logger.info("camera: the browser has left (%s)", error)
            _cut_off(request)
        except (OSError, ValueError, BusyError) as error:
            logger.warning("camera: %s", error)
            await _say_last(request, socket.send_json({"error": str(error)}))
        await socket.close()
        return socket

    async def end(self, _: web.Application) -> None:
        """Let all sessions end."""
        self.network.end_sessions()

    async def close(self, _: web.Application) -> None:
        """Let go of the network."""
        self.network.close()

    def _check_length(self, length: int) -> None:
        if length > self.max_upload:
            text = f"a video may have {self.max_upload / 1e6:.1f} MB; cut it, or start the server with --max-upload"
            raise web.HTTPRequestEntityTooLarge(self.max_upload, length, text=text)

    async def _store(self, request: web.Request, path: Path, pace: Pace) -> None:
        """Write a body to a file as it comes."""
        length = 0
        try:
            with path.open("wb") as file:
                while chunk := await pace.wait(request.content.readany()):
                    pace.note(len(chunk))
                    length += len(chunk)
                    self._check_length(length)
                    file.write(chunk)
        except ConnectionAbortedError:
            raise
        except (ConnectionResetError, web.RequestPayloadError) as error:
            raise web.HTTPBadRequest(text=f"the video did not come whole ({error}); send it again") from error
        except OSError as error:
            logger.error("a video cannot be stored in %s: %s", path.parent, error)
            raise web.HTTPInsufficientStorage(text="the server has no room for the video; try again later") from error

    async def _answer(
        self, request: web.Request, path: Path, session: Session, pictures: int | None
    ) -> web.StreamResponse:
        try:
            await session.result(asyncio.to_thread(check_video, path))
        except ValueError as error:
            raise web.HTTPUnsupportedMediaType(text=_without(path, error)) from error
        response, pace = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"}), Pace(session)
        await response.prepare(request)
        try:
            async with aclosing(self.network.lines(UploadedStream(path), session, False, pictures)) as lines:
                async for line in lines:
                    data = encode_line(line)
                    await pace.wait(response.write(data))
                    pace.note(len(data))
        except ConnectionResetError as error:
            logger.info("video: the browser has left (%s)", error)
            _cut_off(request)
        except (OSError, ValueError) as error:
            logger.warning("video: %s", error)
            await _say_last(request, response.write(encode_line({"error": _without(path, error)})))
        return response

    async def _follow(self, socket: web.WebSocketResponse, session: Session) -> None:
        """Answer the pictures of a socket until the browser closes it."""
        stream, pace = CameraStream(), Pace(session)
        receiver = asyncio.create_task(_receive(socket, stream))
        try:
            async with aclosing(self.network.lines(stream, session, realtime=True)) as lines:
                async for line in lines:
                    data = to_json(line, "answer", only_ascii=True)
                    await pace.wait(socket.send_str(data))
                    pace.note(len(data))
            await receiver
        finally:
            receiver.cancel()
            stream.close()
            await asyncio.gather(receiver, return_exceptions=True)


class Pace:
    """Bounds the time that a browser takes to send or take something, at a stretch and in all.

    Args:
        session: of the browser.
    """

    def __init__(self, session: Session) -> None:
        self.session, self._left = session, PATIENCE

    async def wait(self, transfer: Awaitable[T]) -> T:
        """The result of something that the browser has to do its part for.

        Raises:
            ConnectionResetError: it does not, or too slowly.
            ConnectionAbortedError: the session ended first.
        """
        start = time.monotonic()
        try:
            return await self.session.result(transfer, max(0.0, min(PATIENCE, self._left)))
        finally:
            self._left -= time.monotonic() - start

    def note(self, count: int) -> None:
        """Add bytes that have moved, for which the browser gets time."""
        self._left += count / LEAST_RATE


async def _receive(socket: web.WebSocketResponse, stream: CameraStream) -> None:
    """Hand pictures on until the socket is closed.

    Raises:
        ValueError: something else came, or no picture for too long.
    """
    try:
        while (message := await asyncio.wait_for(socket.receive(), PATIENCE)).type not in _CLOSING:
            if message.type is not WSMsgType.BINARY:
                raise ValueError(f"expected JPEG pictures of at most {MAX_PICTURE} bytes, got {message.type.name}")
            stream.put(message.data)
    except asyncio.TimeoutError as error:
        raise ValueError(f"no picture for {PATIENCE:g} s; start the camera again") from error
    finally:
        stream.close()


def _picture_limit(request: web.Request) -> int | None:
    """Pixels a side of the pictures that the page asks for; None if it asks for none."""
    text = request.query.get("pictures")
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,5}", text, re.ASCII) or int(text) < 1:
        raise web.HTTPBadRequest(text="pictures: expected a number of pixels, 1 or more")
    return min(int(text), MAX_SIDE)


async def _end_upload(request: web.Request, text: str) -> web.StreamResponse:
    """Answer an upload that is not waited for; to close the connection at once would let the answer get lost."""
    response = web.Response(status=503, text=text)
    response.force_close()
    await response.prepare(request)
    await _say_last(request, response.write_eof())
    with suppress(asyncio.TimeoutError, ConnectionError, web.RequestPayloadError):
        await asyncio.wait_for(_drop(request), FAREWELL)
    return response


async def _drop(request: web.Request) -> None:
    """Read the rest of a body."""
    while await request.content.readany():
        pass


async def _say_last(request: web.Request, transfer: Awaitable[object]) -> None:
    """Send a last message, if the browser takes it."""
    try:
        await asyncio.wait_for(transfer, FAREWELL)
    except (ConnectionError, asyncio.TimeoutError):
        _cut_off(request)


def _cut_off(request: web.Request) -> None:
    """End a connection without waiting until the browser has taken what was sent."""
    if request.transport is not None:
        request.transport.abort()


def _without(path: Path, error: Exception) -> str:
    """The text of an error, which need not say where on this machine the video was."""
    return str(error).replace(str(path), "the video")
