"""Names of files: what can be printed or opened by libraries in C++, what is hidden, what outputs are called."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

HIDDEN = {"__MACOSX", "$RECYCLE.BIN", "@eaDir", "System Volume Information", "Thumbs.db", "desktop.ini", "ehthumbs.db"}
LONGEST_NAME = 160  # bytes of an output's name, which leaves room for suffixes: file systems hold 255
_DIGEST = 8  # letters that tell shortened names apart
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    r"""A text that every stream in UTF-8 can hold: bytes of file names that are no UTF-8 become `\udce9`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def broken_rule(text: str) -> str | None:
    """What a text should be and is not, as files and libraries cannot hold it as it is; None if they can."""
    if "\0" in text:
        return "text without NUL characters"
    return "text that can be written as UTF-8" if _HALF_CHARACTER.search(text) else None


def check_text(text: str, where: str, remedy: str) -> None:
    """Refuse a text with half of a character or NUL, which JSON and YAML can spell and no file can hold.

    Args:
        text: from a file or command line.
        where: it stands, and what it is, which begins the message.
        remedy: what to do, which ends it.

    Raises:
        ValueError: there is one.
    """
    if rule := broken_rule(text):
        raise ValueError(f"{where} should be {rule}, got {text!r}; {remedy}")


def check_path(path: str | Path, where: str = "the path") -> None:
    """Refuse a path that no file can have; bytes that are not UTF-8 are allowed, as Python spells them.

    Args:
        path: from a file or command line.
        where: it stands, and what it is, which begins the message.

    Raises:
        ValueError: it has a NUL character, or half of a character that stands for no byte.
    """
    try:
        rule = broken_rule(os.fsencode(path).decode("latin-1"))
    except UnicodeEncodeError:
        rule = broken_rule(str(path))
    if rule:
        raise ValueError(f"{where} should be {rule}, got {str(path)!r}; mend it")


@contextmanager
def openable(path: Path) -> Iterator[str]:
    """A name for `path` that libraries in C++ can open: OpenCV crashes on names that are not UTF-8.

    The path itself, absolute since FFmpeg takes a colon in a relative one for the end of a protocol, or a link to it
    with the same suffix, which is there until the context ends. The file need not exist yet.

    Raises:
        OSError: there is no room for the link.
        ValueError: no file can have this path.
    """
    check_path(path)
    place = str(path.absolute())
    if broken_rule(place) is None:
        yield place
        return
    suffix = path.suffix if path.suffix.isascii() else ""
    with tempfile.TemporaryDirectory(prefix="paddlevideo") as folder:
        link = Path(folder) / f"file{suffix}"
        link.symlink_to(place)
        yield str(link)


def is_hidden(name: str) -> bool:
    """Whether systems put a file or folder of this name beside a user's own, or do not show it."""
    return name.startswith(".") or name in HIDDEN


def visible(paths: Iterable[Path], root: Path) -> list[Path]:
    """The paths without those that are hidden, or in a hidden folder, below `root`; sorted."""
    return sorted(path for path in paths if not any(map(is_hidden, path.relative_to(root).parts)))


def output_name(name: str) -> str:
    """What files about an input of this name are called: UTF-8, and short enough for suffixes.

    Bytes that are no UTF-8 become `%E9`, `/`, NUL and control characters likewise. A long name ends in a sum of the
    whole. Different names of up to `LONGEST_NAME` bytes may become one only if one of them has a `%` already.
    """
    data = b"".join(_held(letter) for letter in name)
    if len(data) > LONGEST_NAME:
        digest = hashlib.sha256(data).hexdigest()[:_DIGEST]
        data = data[: LONGEST_NAME - _DIGEST - 1].decode("utf-8", "ignore").encode() + b"~" + digest.encode()
    return data.decode("utf-8")


def _held(letter: str) -> bytes:
    if "\udc80" <= letter <= "\udcff" or letter < " " or letter in "/\x7f":
        return "".join(f"%{byte:02X}" for byte in os.fsencode(letter)).encode()
    return letter.encode("utf-8", "backslashreplace")
