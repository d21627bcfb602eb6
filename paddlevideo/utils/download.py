"""Weight files from the network, kept in a cache and checked against the sum that the user gives."""

from __future__ import annotations

import os
import re
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import unquote

from paddlevideo.utils.files import BLOCK, output_folder, sha256_of
from paddlevideo.utils.http import Deadline, open_url, reason_of, request_of, without_secrets
from paddlevideo.utils.locks import wait_for_claim
from paddlevideo.utils.logging import logger

CACHE_VARIABLE, LIMIT_VARIABLE = "PADDLEVIDEO_CACHE", "PADDLEVIDEO_DOWNLOAD_MB"
FORM = "https://.../name.pth#sha256=<64 hexadecimal digits>"
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416  # answers of a server
BUSY = (429, 503)
TIMEOUT = 30.0  # seconds for the header, and for each block of the body
SLOWEST = 10_000  # bytes a second on average, of which the first `TIMEOUT` seconds are free
LARGEST = 4000  # MB, unless the user sets LIMIT_VARIABLE
ATTEMPTS, LONGEST_WAIT = 3, 20.0  # of a busy server, and seconds between
WAIT_SECONDS = 3600.0  # for another process that fetches the same file
LONGEST_NAME = 100  # letters
SHOWN_BYTES = 40  # of a file that is not the expected one


class _WrongRangeError(ValueError):
    """The server sends another part of the file than was asked for."""


def local_file(location: str | Path) -> Path:
    """The path of a file that may be on the network; a download that was cut off goes on where it ended.

    Several processes that want the same file fetch it once: the others wait.

    Args:
        location: a path, or a URL with the sum of the file behind it: `https://.../name.pth#sha256=<64 hex digits>`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a URL without a sum, or a file of another sum.
        ConnectionError: it could not be fetched.
        InUseError: another process fetches it for too long.
    """
    url, _, expected = str(location).partition("#sha256=")
    if not re.match(r"https?://", url):
        path = Path(location)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such weight file")
        return path
    if not re.fullmatch(r"[0-9a-fA-F]{64}", expected):
        raise ValueError(
            f"{without_secrets(url)}: expected a URL with the sum of its file, {FORM}; sha256sum prints it"
        )
    folder = output_folder(Path(os.environ.get(CACHE_VARIABLE, Path.home() / ".cache" / "paddlevideo")))
    path = folder / f"{expected[:16].lower()}-{_name_in(url)}"
    if not _is_whole(path, expected.lower()):
        with wait_for_claim(folder, path.name, WAIT_SECONDS):
            if not _is_whole(path, expected.lower()):  # another process may have fetched it
                _fetch(url, path, expected.lower())
    return path


def _name_in(url: str) -> str:
    """A file name from the last part of an address."""
    name = re.sub(r"[^\w.-]+", "_", unquote(without_secrets(url).rpartition("/")[2]))
    return name[-LONGEST_NAME:]


def _is_whole(path: Path, expected: str) -> bool:
    return path.is_file() and sha256_of(path) == expected


def _fetch(url: str, path: Path, expected: str) -> None:
    partial, title = path.with_name(f"{path.name}.part"), without_secrets(url)
    try:
        _download(url, partial)
    except (OSError, HTTPException, ValueError) as error:
        have = partial.stat().st_size if partial.exists() else 0
        raise ConnectionError(
            f"{title}: could not be fetched ({reason_of(error)}); {have} bytes are kept in {partial}. Try again, or "
            "get the file elsewhere and give its path"
        ) from error
    found = sha256_of(partial)
    if found != expected:
        with partial.open("rb") as file:
            start = file.read(SHOWN_BYTES)
        partial.unlink()
        raise ValueError(
            f"{title}: expected a file of sha256 {expected}, got {found}, which begins with {start!r}; it was deleted. "
            "Check URL and sum"
        )
    partial.replace(path)


def _download(url: str, partial: Path) -> None:
    """Fetch what is missing of a file; a server that cannot go on in the middle sends all of it again.

    Raises:
        OSError, HTTPException, ValueError: it could not be fetched; see `open_url`.
    """
    limit = _limit()
    for attempt in range(1, ATTEMPTS + 1):
        have = partial.stat().st_size if partial.exists() else 0
        try:
            with Deadline(TIMEOUT) as deadline:
                address, headers = request_of(url)
                headers |= {"Range": f"bytes={have}-"} if have else {}
                with open_url(address, headers, deadline, TIMEOUT) as answer:
                    _receive(answer, partial, have, limit, deadline, without_secrets(url))
            return
        except _WrongRangeError as error:
            if not have or attempt == ATTEMPTS:
                raise
            partial.unlink()
            logger.info("%s: %s; fetching all of it", without_secrets(url), error)
        except HTTPError as error:
            if error.code == RANGE_NOT_SATISFIABLE and have:  # all of it is here
                return
            if error.code not in BUSY or attempt == ATTEMPTS:
                raise
            asked = error.headers.get("Retry-After", "")
            wait = min(float(asked) if asked.isdecimal() else 2.0**attempt, LONGEST_WAIT)
            logger.info("%s: the server is busy; trying again in %g s", without_secrets(url), wait)
            time.sleep(wait)


def _limit() -> int:
    text = os.environ.get(LIMIT_VARIABLE, str(LARGEST))
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError(f"{LIMIT_VARIABLE}: expected a number of MB from 1, got {text!r}")
    return int(text) * 1_000_000


def _receive(answer: Any, partial: Path, have: int, limit: int, deadline: Deadline, title: str) -> None:
    """Write the body of an answer behind the `have` bytes of a file, or anew."""
    start = have if answer.status == PARTIAL_CONTENT else 0
    whole = start + _checked_length(answer, start)
    if whole > limit:
        raise ValueError(f"the file has {whole} bytes, more than {limit}; raise {LIMIT_VARIABLE} if it should")
    with partial.open("ab" if start else "wb") as file:
        _copy(answer, file, whole, limit, deadline, title)
        if file.tell() < whole:
            raise ConnectionError(f"the connection ended after {file.tell()} of {whole} bytes")


def _checked_length(answer: Any, start: int) -> int:
    """The bytes that an answer promises, 0 if it does not say.

    Raises:
        ValueError: a header that does not fit the request.
    """
    if (encoding := answer.headers.get("Content-Encoding", "identity")) != "identity":
        raise ValueError(f"the server sends Content-Encoding {encoding[:20]!r} without being asked for it")
    place = answer.headers.get("Content-Range", "")
    if answer.status == PARTIAL_CONTENT and place and not place.startswith(f"bytes {start}-"):
        raise _WrongRangeError(f"asked for the bytes from {start}, the server sends Content-Range {place[:60]!r}")
    length = answer.headers.get("Content-Length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise ValueError(f"the server sends Content-Length {length[:40]!r}, expected a number")
    return int(length)


def _copy(answer: Any, file: BinaryIO, whole: int, limit: int, deadline: Deadline, title: str) -> None:
    """Write a body block by block, at least at `SLOWEST` and at most `limit` bytes."""
    step, start, received = max(whole // 10, BLOCK), time.monotonic(), 0
    while block := answer.read1(BLOCK):
        deadline.extend(TIMEOUT)
        before, now = file.tell(), file.tell() + len(block)
        if now > limit:
            file.truncate(0)
            raise ValueError(f"the file has more than {limit} bytes; raise {LIMIT_VARIABLE} if it should")
        file.write(block)
        received += len(block)
        if time.monotonic() - start > TIMEOUT + received / SLOWEST:
            raise TimeoutError(f"the server sends less than {SLOWEST} bytes a second")
        if before // step != now // step:
            logger.info("%s: %.1f of %.1f MB", title, now / 1e6, whole / 1e6)
    if not received:
        raise ConnectionError("the server sent no bytes")
