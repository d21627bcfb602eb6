"""Servers on this machine that trickle, break off, lie and never end, and what asks them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from paddlevideo.loader.media.live import Connection, open_streams
from paddlevideo.utils import download
from tests.fuzz.mutations import Rng, pick

CONTENT = bytes(range(256)) * 200
SUM = hashlib.sha256(CONTENT).hexdigest()
LIMIT = 0.3  # seconds that the product waits for a server
LONGEST = 15.0  # seconds after which it should have given up, on a busy machine too
STATUS = (
    *("HTTP/1.1 200 OK",) * 6,
    *("HTTP/1.1 206 Partial Content",) * 3,
    *("HTTP/1.0 200 OK", "HTTP/1.1 204 No Content", "HTTP/1.1 301 Moved", "HTTP/1.1 302 Found", "HTTP/1.1 308 Moved"),
    *("HTTP/1.1 404 Not Found", "HTTP/1.1 416 Range", "HTTP/1.1 429 Busy", "HTTP/1.1 503 Busy", "HTTP/1.1 500 Error"),
    *("HTTP/1.1 100 Continue", "HTTP/1.1 99999 X", "HTTP/9.9 200 OK", "HTTP/1.1 abc", "x" * 70000, "", "\0\xff"),
)
LENGTHS = (len(CONTENT), len(CONTENT), len(CONTENT) // 2, 2 * len(CONTENT), 0, -1, "x", "1_0", 10**30, "5, 6", "")
RANGES = ("bytes 0-9/10", "bytes 7-/*", "bytes */5", "bytes", "", "x" * 300, f"bytes {len(CONTENT) // 2}-")
PLACES = (
    *("/again", "//127.0.0.1:1/x", "http://127.0.0.1:1/", "file:///etc/passwd", "ftp://127.0.0.1/x", "", "?", "#"),
    *("http://[", "http://127.0.0.1:99999999/", "javascript:1", "/" + "x" * 60000, "/\xff\x01", "data:,x"),
)
HEADERS = (
    *(("Content-Length", LENGTHS), ("Content-Range", RANGES), ("Location", PLACES)),
    ("Content-Encoding", ("gzip", "identity", "br", "x" * 500, "")),
    ("Transfer-Encoding", ("chunked", "x", "identity")),
    ("Content-Type", ("video/mp4", "multipart/x-mixed-replace; boundary=a", "application/x-mpegurl", "", "x/" * 90)),
    ("Retry-After", ("0", "99999999", "-1", "x", "٣".encode().decode("latin-1"))),
    ("X" * 70000, ("x",)),
    (" folded", ("x",)),
    ("\0", ("\r\r",)),
)
BODIES = ("right", "right", "right", "half", "rest", "nothing", "wrong", "double", "endless", "chunks")
PACES = ("at once", "at once", "at once", "slow header", "slow body", "no header", "no body", "hold", "reset")


def server_plan(rng: Rng) -> bytes:
    """What a server says to each of its connections, the last of them to all later ones, and what asks it."""
    answers = [_answer(rng) for _ in range(int(rng.integers(1, 4)))]
    return json.dumps({"answers": answers, "live": bool(rng.random() < 0.3)}).encode()


def _answer(rng: Rng) -> dict[str, Any]:
    """A good answer of which each part is, half of the time, any other one."""
    answer: dict[str, Any] = {"status": STATUS[0], "body": BODIES[0], "pace": PACES[0]}
    headers = {"Content-Length": str(len(CONTENT))}
    for key, choices in (("status", STATUS), ("body", BODIES), ("pace", PACES)):
        if rng.random() < 0.4:
            answer[key] = pick(choices, rng)
    for _ in range(int(rng.integers(0, 3))):
        name, values = pick(HEADERS, rng)
        headers[name] = str(pick(values, rng))
    return {**answer, "headers": list(headers.items())}


def ask_server(path: Path) -> None:
    """Start the server of a file, fetch from it or open it as a stream, and see that this ends."""
    if not path.is_file():
        return
    plan, start = json.loads(path.read_bytes()), time.monotonic()
    with _server(plan["answers"]) as address:
        try:
            _open(address) if plan["live"] else _fetch(address, path.parent / "out")
        finally:
            assert time.monotonic() - start < LONGEST, "the server kept its caller too long"


def _open(address: str) -> None:
    for stream in open_streams(f"{address}/a.mp4", Connection(LIMIT, attempts=0)):
        stream.close()


def _fetch(address: str, cache: Path) -> None:
    known = {download.CACHE_VARIABLE: str(cache), download.LIMIT_VARIABLE: "1"}
    with patch.dict(os.environ, known), patch.multiple(download, TIMEOUT=LIMIT, LONGEST_WAIT=0.05):
        url = f"{address}/a.pth#sha256={SUM}"
        with suppress(ConnectionError):  # what came is kept, and the next one goes on behind it
            download.local_file(url)
        got = download.local_file(url)
    assert got.read_bytes() == CONTENT, "another file than was asked for"


@contextmanager
def _server(answers: list[Any]) -> Iterator[str]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close = True, False
        left, ended = list(answers), threading.Event()

        def handle_error(self, *_: object) -> None:
            """The other side has gone."""

    with Server(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.ended.set()
            running.shutdown()


class _Handler(socketserver.BaseRequestHandler):
    server: Any
    request: socket.socket

    def handle(self) -> None:
        """Answer one request, whatever it asks for."""
        asked, answers = self.request.recv(1 << 16), self.server.left
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        lines = [answer["status"], *(f"{name}: {value}" for name, value in answer["headers"]), "", ""]
        pace = answer["pace"]
        if pace != "no header":
            self._send("\r\n".join(lines).encode("latin-1", "replace"), slow=pace == "slow header")
        if pace not in ("no header", "no body") and not asked.startswith(b"HEAD"):
            for part in _body(answer["body"]):
                self._send(part, slow=pace == "slow body")
        if pace in ("no header", "no body", "hold"):
            self.server.ended.wait(10)
        if pace == "reset":
            with suppress(OSError):
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def _send(self, data: bytes, slow: bool) -> None:
        for place in range(0, len(data), 1) if slow else ():
            if self.server.ended.wait(0.05):
                return
            self.request.sendall(data[place : place + 1])
        if not slow and not self.server.ended.is_set():
            self.request.sendall(data)


def _body(kind: str) -> Iterator[bytes]:
    half = len(CONTENT) // 2
    parts = {"right": CONTENT, "half": CONTENT[:half], "rest": CONTENT[half:], "wrong": CONTENT[::-1]}
    parts |= {"double": CONTENT * 2, "chunks": b"5\r\nabcde\r\nffffffffffffffffffff\r\nx"}
    if kind in parts:
        yield parts[kind]
    while kind == "endless":
        yield CONTENT
