"""Downloads from a server on this machine."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from paddlevideo.utils import download
from paddlevideo.utils.download import CACHE_VARIABLE, LIMIT_VARIABLE, local_file

CONTENT = bytes(range(256)) * 20_000
SUM = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    ranges: ClassVar[list[str | None]] = []
    cut_after: ClassVar[int | None] = None  # bytes after which the connection ends
    knows_ranges: ClassVar[bool] = True

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.knows_ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:][: self.cut_after])

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(Handler, "ranges", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_file_is_fetched_once(server: str) -> None:
    path = local_file(f"{server}/weights.pth?download=1#sha256={SUM.upper()}")
    assert path.read_bytes() == CONTENT
    assert path.name.endswith("-weights.pth")
    assert local_file(f"{server}/weights.pth?download=1#sha256={SUM}") == path
    assert Handler.ranges == [None]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("knows_ranges", "second"), [(True, "bytes=1000000-"), (False, "bytes=1000000-")])
def test_a_broken_download_goes_on(
    server: str, monkeypatch: pytest.MonkeyPatch, knows_ranges: bool, second: str
) -> None:
    monkeypatch.setattr(Handler, "cut_after", 1_000_000)
    monkeypatch.setattr(Handler, "knows_ranges", knows_ranges)
    with pytest.raises(ConnectionError, match=r"weights\.pth: could not be fetched .*1000000 bytes are kept in"):
        local_file(f"{server}/weights.pth#sha256={SUM}")
    monkeypatch.setattr(Handler, "cut_after", None)
    assert local_file(f"{server}/weights.pth#sha256={SUM}").read_bytes() == CONTENT
    assert Handler.ranges == [None, second]


def test_a_file_of_another_sum_is_not_kept(server: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"expected a file of sha256 {'0' * 64}, got {SUM}"):
        local_file(f"{server}/weights.pth#sha256={'0' * 64}")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("fragment", ["", "#sha256=", "#sha256=12ab", f"#md5={SUM}"])
def test_a_url_needs_a_sum(server: str, fragment: str) -> None:
    with pytest.raises(ValueError, match="expected a URL with the sum of its file"):
        local_file(f"{server}/weights.pth{fragment}")
    assert Handler.ranges == []


def test_an_error_of_the_server_and_no_server(server: str) -> None:
    with pytest.raises(ConnectionError, match=r"missing: could not be fetched .*404"):
        local_file(f"{server}/missing#sha256={SUM}")
    with pytest.raises(ConnectionError, match=r"could not be fetched .*refused.*get the file elsewhere"):
        local_file(f"http://127.0.0.1:9/w.pth#sha256={SUM}")


def test_a_path_stays_a_path(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"x")
    assert local_file(str(tmp_path / "w.pth")) == tmp_path / "w.pth"
    with pytest.raises(FileNotFoundError, match="no such weight file"):
        local_file(tmp_path / "none.pth")
    with pytest.raises(FileNotFoundError, match="no such weight file"):
        local_file(f"file:///etc/passwd#sha256={SUM}")


def test_a_file_that_was_changed_in_the_cache_is_fetched_again(server: str) -> None:
    path = local_file(f"{server}/weights.pth#sha256={SUM}")
    path.write_bytes(CONTENT[:-1] + b"x")
    assert local_file(f"{server}/weights.pth#sha256={SUM}").read_bytes() == CONTENT


def test_a_download_that_was_complete_but_not_yet_checked(server: str, tmp_path: Path) -> None:
    path = local_file(f"{server}/weights.pth#sha256={SUM}")
    path.rename(path.with_name(f"{path.name}.part"))
    assert local_file(f"{server}/weights.pth#sha256={SUM}").read_bytes() == CONTENT
    assert Handler.ranges == [None, f"bytes={len(CONTENT)}-"]


OK = b"HTTP/1.1 200 OK\r\n"
Answer = Callable[[socket.socket, bytes], None]


def says(data: bytes, trickle: bytes = b"") -> Answer:
    """An answer of these bytes, and then of more of them now and then."""

    def answer(connected: socket.socket, _: bytes) -> None:
        connected.sendall(data)
        while trickle:
            connected.sendall(trickle)
            time.sleep(0.02)

    return answer


@pytest.fixture
def raw_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], str]]:
    """Starts a server that answers with any bytes."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(download, "TIMEOUT", 0.4)
    listener = socket.create_server(("127.0.0.1", 0))

    def start(answer: Answer) -> str:
        def serve_one(connected: socket.socket) -> None:
            with connected, suppress(OSError):
                answer(connected, connected.recv(4096))

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://user:secret@127.0.0.1:{listener.getsockname()[1]}/w.pth?token=secret#sha256={SUM}"

    with listener:
        yield start


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(OK + b"X-A: ", trickle=b"a"), "the server was too slow"),
        (says(OK + b"Content-Length: 1000000\r\n\r\n", trickle=b"x"), "less than 10000 bytes a second"),
        (says(OK + b"Transfer-Encoding: chunked\r\n\r\n", trickle=b"0"), "the server was too slow|not a valid"),
        (says(OK + b"\r\n", trickle=b"x" * 100_000), "more than 1000000 bytes; raise PADDLEVIDEO_DOWNLOAD_MB"),
        (says(OK + b"Content-Length: 5000000\r\n\r\n"), "has 5000000 bytes, more than 1000000"),
        (says(OK + b"Content-Length: -5\r\n\r\nx"), "Content-Length '-5', expected a number"),
        (says(OK + b"Content-Length: abc\r\n\r\nx"), "Content-Length 'abc', expected a number"),
        (says(OK + b"Content-Encoding: gzip\r\n\r\nx"), "Content-Encoding 'gzip' without being asked"),
        (says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "not a valid answer of HTTP"),
        (
            says(b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1:9/secret\r\n\r\n"),
            "redirected to (ftp|file)://, expected http|to another scheme",
        ),
        (
            says(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"),
            "redirected to (ftp|file)://, expected http|to another scheme",
        ),
        (says(b"HTTP/1.1 302 Found\r\nLocation: /w.pth?key=secret\r\n\r\n"), "redirected without end"),
        (says(b"garbage\n" * 3), "not a valid answer of HTTP"),
        (says(b"HTTP/1.1 200 O"), "sent no bytes|not a valid"),
    ],
)
def test_a_server_that_misbehaves_is_left(
    raw_server: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch, answer: Answer, reason: str
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    start = time.monotonic()
    with pytest.raises((ConnectionError, ValueError), match=reason) as caught:
        local_file(raw_server(answer))
    assert time.monotonic() - start < 10
    assert "secret" not in str(caught.value)


def test_a_wrong_part_of_a_file_is_not_kept(raw_server: Callable[[Answer], str], tmp_path: Path) -> None:
    def answer(connected: socket.socket, request: bytes) -> None:
        if b"Range:" in request:
            connected.sendall(b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\nyyyyyyyyyy")
        else:
            connected.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT)

    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{SUM[:16]}-w.pth.part").write_bytes(CONTENT[:1000])
    assert local_file(raw_server(answer)).read_bytes() == CONTENT


@pytest.mark.parametrize("busy", [0, 2])
def test_a_part_that_was_not_asked_for_is_refused(raw_server: Callable[[Answer], str], busy: int) -> None:
    requests: list[bytes] = []

    def answer(connected: socket.socket, request: bytes) -> None:
        requests.append(request)
        if len(requests) <= busy:
            connected.sendall(b"HTTP/1.1 503 B\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
        else:
            connected.sendall(b"HTTP/1.1 206 P\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nyyyyy")

    with pytest.raises(ConnectionError, match=r"asked for the bytes from 0, the server sends Content-Range 'bytes 5-9"):
        local_file(raw_server(answer))


def test_a_page_instead_of_the_file_is_shown(raw_server: Callable[[Answer], str], tmp_path: Path) -> None:
    page = b"<html>Please log in</html>"
    with pytest.raises(ValueError, match=r"which begins with b'<html>Please log in</html>'; it was deleted"):
        local_file(raw_server(says(OK + b"Content-Length: %d\r\n\r\n" % len(page) + page)))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_busy_server_is_asked_again(raw_server: Callable[[Answer], str]) -> None:
    requests: list[bytes] = []

    def answer(connected: socket.socket, request: bytes) -> None:
        requests.append(request)
        if len(requests) < 3:
            connected.sendall(b"HTTP/1.1 503 B\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
        else:
            connected.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT)

    assert local_file(raw_server(answer)).read_bytes() == CONTENT
    assert len(requests) == 3


def test_two_that_want_one_file_fetch_it_once(server: str) -> None:
    url = f"{server}/weights.pth#sha256={SUM}"
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(local_file, [url] * 4))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == CONTENT
    assert Handler.ranges == [None]
    assert list(paths[0].parent.iterdir()) == [paths[0]]


@pytest.mark.parametrize("path", ["", "..", "%2e%2e", "a%2Fb.pth", "n" * 300])
def test_any_address_has_a_file_name(server: str, path: str, tmp_path: Path) -> None:
    assert local_file(f"{server}/{path}#sha256={SUM}").parent == tmp_path / "cache"
