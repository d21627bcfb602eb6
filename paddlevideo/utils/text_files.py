"""Reading text files: in UTF-8, with or without a byte order mark, and with any line ends."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO

OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins like that of UTF-16
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
SAVE_ANEW = "save it as UTF-8 (in PowerShell: Out-File -Encoding utf8)"


def check_marks(start: bytes, where: object) -> None:
    """Refuse a file in UTF-16 or UTF-32.

    Args:
        start: its first bytes.
        where: begins the message.

    Raises:
        ValueError: it says that it is.
    """
    for mark, encoding in OTHER_MARKS.items():
        if start.startswith(mark):
            raise ValueError(f"{where}: expected text in UTF-8, got {encoding}; {SAVE_ANEW}")


def decode_text(data: bytes, where: object) -> str:
    """The text of a file's content, without a byte order mark.

    Raises:
        ValueError: another encoding; names the line.
    """
    check_marks(data, where)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{where}:{line}: expected text in UTF-8 ({error}); {SAVE_ANEW}") from error


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        OSError: it cannot be read.
        ValueError: another encoding than UTF-8; names the line.
    """
    return decode_text(path.read_bytes(), path)


def load_json(path: Path, once: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The value of a JSON file.

    Args:
        path: of the file.
        once: makes objects of their pairs, see `json.loads`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON in UTF-8, or nested too deeply.
    """
    try:
        return json.loads(read_text(path), object_pairs_hook=once)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def text_lines(file: BinaryIO, where: object) -> Iterator[bytes]:
    """The lines of a file that is open at its beginning, without a byte order mark and blank lines at the end.

    Raises:
        ValueError: it is in UTF-16 or UTF-32.
    """
    blank = 0  # lines that may be followed by others
    for number, line in enumerate(file):
        if number == 0:
            check_marks(line, where)
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.isspace():
            blank += 1
            continue
        yield from repeat(b"\n", blank)
        yield line
        blank = 0
