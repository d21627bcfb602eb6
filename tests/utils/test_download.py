"""Downloads from a server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from paddlevideo.utils.download import CACHE_VARIABLE, local_file

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
