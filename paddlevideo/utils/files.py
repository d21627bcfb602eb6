"""Writing files and folders so that a reader never sees half of one, their sums, and reading lines of JSON."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from paddlevideo.utils.names import check_path
from paddlevideo.utils.text_files import text_lines

BLOCK = 1 << 20  # bytes
TEMPORARY = ".tmp"  # ends the names of what is not yet in its place
_LINES = 4096  # that are parsed together


def output_folder(path: str | Path) -> Path:
    """Make a folder, or use it if it is there, and check that files can be written into it.

    Raises:
        PermissionError: they cannot; the message names the folder and the reason.
        ValueError: no folder can have this path.
    """
    check_path(path)
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
    """The name of a file, link or new folder beside `path`, which takes its place at a good end of the context.

    It is on the disk before it does, so that not even a power cut leaves half of it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        yield temporary
        if not temporary.is_symlink():
            _sync(temporary)
        temporary.replace(path)
        _sync_entry(path.parent)
    finally:
        remove(temporary)


def _sync(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, is on the disk."""
    for child in path.iterdir() if path.is_dir() else ():
        _sync(child)
    _sync_entry(path)


def _sync_entry(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Delete a file, a link or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def put_aside(paths: Iterable[Path], base: Path, root: Path) -> Path | None:
    """Move what is there of `paths` into a new folder of `root`, called by the next number.

    Nothing that was put aside before is touched, and if nothing is there, no folder is made.

    Args:
        paths: in `base`; they have the same places in the new folder.
        base: the folder whose parts they are.
        root: of all that was put aside.

    Returns:
        The new folder, None if nothing was moved.
    """
    found = [path for path in paths if path.exists() or path.is_symlink()]
    if not found:
        return None
    numbers = [int(path.name) for path in root.glob("*") if path.name.isdecimal()]
    folder = output_folder(root / str(max(numbers, default=0) + 1))
    for path in found:
        target = folder / path.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    return folder


def check_size(path: Path, most: int) -> None:
    """Refuse a file that is too large to be read into memory; even an empty disk can have one, which is full of holes.

    Raises:
        OSError: no such file.
        ValueError: it has more than `most` bytes.
    """
    if (size := path.stat().st_size) > most:
        raise ValueError(f"{path}: has {size} bytes; expected at most {most}; is this the right file?")


def sha256_of(path: Path) -> str:
    """The sum of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


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

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, head: bytes = b"", tail: bytes = b"") -> None:
        self.path, self.tail = path, tail
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise OSError(
                f"{path}: cannot be written ({error.strerror}); remove what has this name, or choose another folder"
            ) from error
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
        if b"\r" in line.rstrip():
            raise ValueError(f"{where}: expected line feeds between lines, got CR alone; save it with LF") from error
        kind = "not a line of JSON" if line.endswith(b"\n") else "the last line is no JSON, or was cut off"
        raise ValueError(f"{where}: {kind} ({error}); {remedy}") from error


def to_json(value: Any, where: str, indent: int | None = None, only_ascii: bool = False) -> str:
    """Plain containers as JSON, which has no NaN and no infinity; all JSON of this program is made here.

    Args:
        value: to write.
        where: file or sample, which begins the message.
        indent: spaces of each level; None writes one line.
        only_ascii: whether other characters are escaped.

    Raises:
        ValueError: a number is not finite; names its place.
    """
    try:
        return json.dumps(value, indent=indent, ensure_ascii=only_ascii, allow_nan=False)
    except ValueError as error:
        place, number = next(_not_finite(value), ("", error))
        raise ValueError(f"{where}: {place} should be finite, got {number}") from error


def finite_or_null(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """Numbers for JSON; those that are not finite, such as an average over nothing, become null."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def _not_finite(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Numbers that JSON does not have, with their places."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _not_finite(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _not_finite(item, f"{place}[{number}]")


def write_json(path: Path, value: Any) -> None:
    """Write plain containers as indented JSON.

    Raises:
        ValueError: see `to_json`.
    """
    write_text(path, to_json(value, str(path), indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    r"""Write a text in UTF-8; halves of characters, such as bytes of odd file names, become `\udce9`, as in JSON."""
    write_atomically(path, lambda file: file.write_text(text, encoding="utf-8", errors="backslashreplace"))


def read_json_lines(path: Path, remedy: str) -> Iterator[tuple[int, list[Any]]]:
    """The values of a file of JSON lines, some thousand together with the number of their first line, from 1.

    Raises:
        ValueError: a line that is no JSON, or that ends before its end; names the line and says the `remedy`.
    """
    with path.open("rb") as file:
        rest = text_lines(file, path)
        first = 1
        while lines := list(islice(rest, _LINES)):
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
