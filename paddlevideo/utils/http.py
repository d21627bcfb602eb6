"""Requests over HTTP that end in bounded time and stay with HTTP."""

from __future__ import annotations

import re
import socket
import threading
import time
from base64 import b64encode
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from types import TracebackType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

SCHEMES = ("http", "https")
SECRET_HEADERS = ("Authorization", "Cookie")


class Deadline:
    """Shuts down the sockets of a request when its time is up, also while a server sends a byte now and then.

    Args:
        seconds: from now on.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._done = threading.Event()
        self.expired = False
        threading.Thread(target=self._watch, daemon=True).start()

    def extend(self, seconds: float) -> None:
        """Let the time end so many seconds from now."""
        self._end = time.monotonic() + seconds

    def add(self, connected: socket.socket) -> None:
        """Watch a socket, too."""
        self._sockets.append(connected)
        if self.expired:
            _shut_down(connected)

    def __enter__(self) -> Deadline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self.expired and (error is None or isinstance(error, (OSError, HTTPException, ValueError))):
            raise TimeoutError("the server was too slow") from error

    def _watch(self) -> None:
        while (left := self._end - time.monotonic()) > 0:
            if self._done.wait(left):
                return
        self.expired = True
        for connected in self._sockets:
            _shut_down(connected)


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # the plain one, which is safe beside a read of TLS


def open_url(url: str, headers: dict[str, str], deadline: Deadline, timeout: float, method: str = "GET") -> Any:
    """Ask a server of HTTP or HTTPS; redirects stay with these two.

    Args:
        url: without user and password.
        headers: of the request; those with secrets are not sent to another host, nor from https to http.
        deadline: ends the request; header and body.
        timeout: seconds to connect, and without any byte.
        method: GET or HEAD.

    Returns:
        The response, to be read and closed.

    Raises:
        OSError: no connection, an error of the server or a redirect that is refused.
        HTTPException: not an answer of HTTP.
        ValueError: not an address.
    """
    if urlsplit(url).scheme not in SCHEMES:
        raise ValueError("expected an address of http or https")
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        _Http(deadline),
        _Https(deadline),
        HTTPDefaultErrorHandler(),
        _Redirects(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    request = Request(url, headers={"Accept-Encoding": "identity", **headers}, method=method)
    try:
        return opener.open(request, timeout=timeout)
    except HTTPError as error:
        error.close()
        raise


class _Http(HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self.connection = partial(_Watched, deadline)

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(self.connection, request)


class _Https(HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self.connection = partial(_WatchedTLS, deadline)

    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(self.connection, request)


class _Watched(HTTPConnection):
    """A connection whose socket a deadline shuts down."""

    def __init__(self, deadline: Deadline, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadline = deadline

    def connect(self) -> None:
        super().connect()
        self.deadline.add(self.sock)


class _WatchedTLS(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Redirects(HTTPRedirectHandler):
    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        """The request at the new address."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in SCHEMES:
            fp.close()
            raise URLError(f"redirected to {new.scheme}://, expected http or https")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and ((old.hostname, old.port) != (new.hostname, new.port) or old.scheme != new.scheme):
            for name in SECRET_HEADERS:
                request.remove_header(name)
        return request


def reason_of(error: Exception) -> str:
    """What went wrong in a request, without the address, which may hold secrets."""
    if isinstance(error, HTTPError):
        if 300 <= error.code < 400:
            return f"redirected without end, or to another scheme than http and https (status {error.code})"
        return f"HTTP status {error.code}"
    if isinstance(error, URLError):
        return str(error.reason)
    if isinstance(error, HTTPException):
        return f"not a valid answer of HTTP ({type(error).__name__})"
    return str(error)


def without_secrets(url: str) -> str:
    """An address without user, password and query, also if they have characters that should have been encoded."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[?#]', rest.rpartition('@')[2])[0]}"


def hide_secrets(text: str) -> str:
    """A text, such as a command line, whose addresses with a user, a password or a query are shown without them."""
    return re.sub(r"\w+://[^\s'\"\]},]*[@?][^\s'\"\]},]*", lambda match: without_secrets(match[0]), text)


def request_of(url: str) -> tuple[str, dict[str, str]]:
    """An address without user, password and fragment, and the headers that say them."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    headers = {"Authorization": f"Basic {b64encode(unquote(user).encode()).decode()}"} if user else {}
    return urlunsplit(parts._replace(netloc=host, fragment="")), headers
