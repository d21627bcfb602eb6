"""Writing files so that a reader never sees half of one, and reading lines of JSON."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

_LINES = 4096  # that are parsed together


def output_folder(path: str | Path) -> Path:
    """Make a folder, or use it if it is there, and check that files can be written into it.

    Raises:
        PermissionError: they cannot; the message names the folder and the reason.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise PermissionError(
            f"{folder}: cannot write into this folder ({error.strerror}); choose another one or change its permissions"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The name of a file beside `path`, which takes its place when the context ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place."""
    with replacing(path) as temporary:
        write(temporary)


class RecordFile:
    """A file that grows record by record and is complete after each: a reader, or a full disk, never sees half of one.

    Args:
        path: of the file; one that exists is replaced.
        head: what the file begins with.
        tail: what follows the last record, at any time.
    """

    def __init__(self, path: Path, head: bytes = b"", tail: bytes = b"") -> None:
        self.path, self.tail = path, tail
        self._file = path.open("wb", buffering=0)
        self._end = 0
        self.append(head)

    def append(self, record: bytes) -> None:
        """Add a record.

        Raises:
            OSError: it cannot be written; the file is left as it was before.
        """
        try:
            self._write(self._end, record + self.tail)
        except OSError as error:
            self._file.truncate(self._end)
            self._write(self._end, self.tail)
            raise OSError(
                f"{self.path}: cannot write ({error.strerror}); all records before are complete; "
                "make room, or choose another folder"
            ) from error
        self._end += len(record)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _write(self, place: int, data: bytes) -> None:
        self._file.seek(place)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]


def parse_json_line(line: bytes, where: str, remedy: str) -> Any:
    """The value of one line of a file of JSON lines.

    Args:
        line: with its line end; only the last line of a file may lack it.
        where: file and line, which begin the message.
        remedy: what to do, which ends it.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        kind = "not a line of JSON" if line.endswith(b"\n") else "the last line is no JSON, or was cut off"
        raise ValueError(f"{where}: {kind} ({error}); {remedy}") from error


def write_json(path: Path, value: Any) -> None:
    """Write plain containers as indented JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda file: file.write_text(text, encoding="utf-8"))


def read_json_lines(path: Path, remedy: str) -> Iterator[tuple[int, list[Any]]]:
    """The values of a file of JSON lines, some thousand together with the number of their first line, from 1.

    Raises:
        ValueError: a line that is no JSON, or that ends before its end; names the line and says the `remedy`.
    """
    with path.open("rb") as file:
        first = 1
        while lines := list(islice(file, _LINES)):
            values = _parse_objects(lines)
            if values is None:
                values = [parse_json_line(line, f"{path}:{number}", remedy) for number, line in enumerate(lines, first)]
            yield first, values
            first += len(lines)


def _parse_objects(lines: list[bytes]) -> list[Any] | None:
    """The objects of all lines, parsed at once, which is quicker; None if one of them may be something else."""
    if not all(line.startswith(b"{") and line.endswith(b"}\n") for line in lines):
        return None
    try:
        values: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return None
    return values if len(values) == len(lines) else None
