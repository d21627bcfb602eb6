"""The web server: a page, videos in and lines out, and a socket for cameras."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import aclosing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TypeVar

from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

from paddlevideo.loader.media.live import StoredStream
from paddlevideo.serve.guard import add_headers, is_loopback, only_own_page
from paddlevideo.serve.media import CameraStream, check_video
from paddlevideo.serve.network import BusyError, SharedNetwork
from paddlevideo.tasks.writers import encode_line
from paddlevideo.utils.logging import logger

T = TypeVar("T")
PAGE = Path(__file__).with_name("page")
MAX_PICTURE = 2 << 20  # bytes of a camera's picture
SHUTDOWN = 5.0  # seconds that sessions have to end
PATIENCE = 30.0  # seconds that a browser may neither send nor take anything


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
    app = web.Application(middlewares=[only_own_page(host)])
    app.on_response_prepare.append(add_headers)
    app.add_routes([web.get(f"/{name}", _file(name)) for name in ("page.css", "page.js")])
    app.add_routes([web.get("/", _file("index.html")), web.get("/facts", live.facts)])
    app.add_routes([web.post("/video", live.video), web.get("/camera", live.camera)])
    app.on_shutdown.append(live.end)
    app.on_cleanup.append(live.close)
    return app


def serve(app: web.Application, host: str, port: int) -> None:
    """Run an application until SIGINT or SIGTERM; warns of an address that others can reach.

    Raises:
        OSError: the address or port cannot be had.
    """
    if not is_loopback(host):
        logger.warning(
            "%s is open to others: whoever reaches it can use it, and nothing is encrypted; browsers lend their camera "
            "to localhost and https only",
            host,
        )
    try:
        web.run_app(app, host=host, port=port, print=logger.info, access_log=None, shutdown_timeout=SHUTDOWN)
    except OSError as error:
        raise OSError(f"{host}:{port}: {error.strerror or error}; choose another --host or --port") from error


def _file(name: str) -> Handler:
    async def send(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / name)

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
        """A video as the request's body; the answer is a JSON line a frame as it is found, maybe an `error` at last."""
        self._check_length(request.content_length or 0)
        try:
            with self.network.session() as stop, TemporaryDirectory(prefix="paddlevideo-") as folder:
                path = Path(folder) / "video"  # the browser has no say in it
                await self._store(request, path)
                return await self._answer(request, path, stop)
        except BusyError as error:
            raise web.HTTPServiceUnavailable(text=str(error)) from error

    async def camera(self, request: web.Request) -> web.StreamResponse:
        """A socket: JPEG pictures in, JSON lines out, maybe an `error` at last."""
        socket = web.WebSocketResponse(
            max_msg_size=MAX_PICTURE, heartbeat=PATIENCE, receive_timeout=PATIENCE, compress=False
        )
        await socket.prepare(request)
        try:
            with self.network.session() as stop:
                await self._follow(socket, stop)
        except ConnectionResetError:
            logger.info("camera: the browser has left")
        except (OSError, ValueError, BusyError) as error:
            logger.warning("camera: %s", error)
            with suppress(ConnectionResetError):
                await socket.send_json({"error": str(error)})
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

    async def _store(self, request: web.Request, path: Path) -> None:
        """Write a body to a file as it comes."""
        length = 0
        try:
            with path.open("wb") as file:
                while chunk := await _in_time(request.content.readany()):
                    length += len(chunk)
                    self._check_length(length)
                    file.write(chunk)
        except (ConnectionResetError, web.RequestPayloadError) as error:
            raise web.HTTPBadRequest(text=f"the video did not come whole ({error}); send it again") from error
        except OSError as error:
            logger.error("a video cannot be stored in %s: %s", path.parent, error)
            raise web.HTTPInsufficientStorage(text="the server has no room for the video; try again later") from error

    async def _answer(self, request: web.Request, path: Path, stop: Event) -> web.StreamResponse:
        try:
            await asyncio.to_thread(check_video, path)
        except ValueError as error:
            raise web.HTTPUnsupportedMediaType(text=_without(path, error)) from error
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        try:
            async with aclosing(self.network.lines(StoredStream(path), stop, realtime=False)) as lines:
                async for line in lines:
                    await _in_time(response.write(encode_line(line)))
        except ConnectionResetError:
            logger.info("video: the browser has left")
        except (OSError, ValueError) as error:
            logger.warning("video: %s", error)
            with suppress(ConnectionResetError):
                await response.write(encode_line({"error": _without(path, error)}))
        return response

    async def _follow(self, socket: web.WebSocketResponse, stop: Event) -> None:
        """Answer the pictures of a socket until the browser closes it."""
        stream = CameraStream()
        receiver = asyncio.create_task(_receive(socket, stream))
        try:
            async with aclosing(self.network.lines(stream, stop, realtime=True)) as lines:
                async for line in lines:
                    await _in_time(socket.send_json(line))
            await receiver
        finally:
            receiver.cancel()
            stream.close()


async def _receive(socket: web.WebSocketResponse, stream: CameraStream) -> None:
    """Hand pictures on until the socket is closed.

    Raises:
        ValueError: something else came, or nothing for too long.
    """
    try:
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                raise ValueError(f"expected JPEG pictures of at most {MAX_PICTURE} bytes, got {message.type.name}")
            stream.put(message.data)
    except asyncio.TimeoutError as error:
        raise ValueError(f"no picture for {PATIENCE:g} s; start the camera again") from error
    finally:
        stream.close()


async def _in_time(transfer: Awaitable[T]) -> T:
    """The result of something that a browser has to do its part for.

    Raises:
        ConnectionResetError: it does not.
    """
    try:
        return await asyncio.wait_for(transfer, PATIENCE)
    except asyncio.TimeoutError as error:
        raise ConnectionResetError(f"nothing moved for {PATIENCE:g} s") from error


def _without(path: Path, error: Exception) -> str:
    """The text of an error, which need not say where on this machine the video was."""
    return str(error).replace(str(path), "the video")
