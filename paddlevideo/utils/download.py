"""Weight files from the network, kept in a cache and checked against the sum that the user gives."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from paddlevideo.utils.files import BLOCK, output_folder, sha256_of
from paddlevideo.utils.logging import logger

CACHE_VARIABLE = "PADDLEVIDEO_CACHE"
FORM = "https://.../name.pth#sha256=<64 hexadecimal digits>"
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416  # answers of a server
TIMEOUT = 30  # seconds without an answer


def local_file(location: str | Path) -> Path:
    """The path of a file that may be on the network; a download that was cut off goes on where it ended.

    Args:
        location: a path, or a URL with the sum of the file behind it: `https://.../name.pth#sha256=<64 hex digits>`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a URL without a sum, or a file of another sum.
        ConnectionError: it could not be fetched.
    """
    url, _, expected = str(location).partition("#sha256=")
    if not re.match(r"https?://", url):
        path = Path(location)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such weight file")
        return path
    if not re.fullmatch(r"[0-9a-fA-F]{64}", expected):
        raise ValueError(f"{location}: expected a URL with the sum of its file, {FORM}; sha256sum prints it")
    folder = output_folder(Path(os.environ.get(CACHE_VARIABLE, Path.home() / ".cache" / "paddlevideo")))
    path = folder / f"{expected[:16].lower()}-{url.partition('?')[0].rpartition('/')[2]}"
    if not path.is_file() or sha256_of(path) != expected.lower():
        _fetch(url, path, expected.lower())
    return path


def _fetch(url: str, path: Path, expected: str) -> None:
    partial = path.with_name(f"{path.name}.part")
    try:
        _download(url, partial)
    except (OSError, HTTPException, ValueError) as error:
        have = partial.stat().st_size if partial.exists() else 0
        raise ConnectionError(
            f"{url}: could not be fetched ({error}); {have} bytes are kept in {partial}. Try again, or get the file "
            "elsewhere and give its path"
        ) from error
    found = sha256_of(partial)
    if found != expected:
        partial.unlink()
        raise ValueError(f"{url}: expected a file of sha256 {expected}, got {found}; it was deleted. Check URL and sum")
    partial.replace(path)


def _download(url: str, partial: Path) -> None:
    """Fetch what is missing of a file; a server that cannot go on in the middle sends all of it again."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)  # http or https only  # nosec B310
    except urllib.error.HTTPError as error:
        if error.code == RANGE_NOT_SATISFIABLE and have:  # all of it is here
            return
        raise
    with answer, partial.open("ab" if answer.status == PARTIAL_CONTENT else "wb") as file:
        whole = file.tell() + int(answer.headers.get("Content-Length", 0))
        step = max(whole // 10, BLOCK)
        while block := answer.read(BLOCK):
            before, now = file.tell(), file.tell() + len(block)
            file.write(block)
            if before // step != now // step:
                logger.info("%s: %.1f of %.1f MB", url, now / 1e6, whole / 1e6)
        if file.tell() < whole:
            raise ConnectionError(f"the connection ended after {file.tell()} of {whole} bytes")
