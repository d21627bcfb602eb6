"""Text files: lists of videos and class names, with the line in every error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paddlevideo.utils.files import write_text
from paddlevideo.utils.names import broken_rule
from paddlevideo.utils.text_files import decode_text

MAX_BYTES = 256 * 2**20  # of one annotation file; a larger one would fill the memory when parsed


def check_file(path: Path) -> None:
    """Refuse what is no file.

    Raises:
        FileNotFoundError: nothing is there, or a folder.
    """
    if not path.is_file():
        got = "a folder" if path.is_dir() else "nothing"
        raise FileNotFoundError(f"{path}: expected a file, got {got}; check the path")


def is_name(text: str) -> bool:
    """Whether a text can stand on a line of its own in a list of names, and be told from its neighbours there."""
    return text.splitlines() == [text.strip()] and broken_rule(text) is None


def read_bytes(path: Path) -> bytes:
    """The content of an annotation file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is too large.
    """
    check_file(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(
            f"{path}: expected at most {MAX_BYTES} bytes in one file, got {size}; split it, files may be given together"
        )
    return path.read_bytes()


def read_lines(path: Path) -> list[str]:
    """Lines of a text file in UTF-8.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another encoding, or too large.
    """
    return decode_text(read_bytes(path), path).splitlines()


def read_names(path: Path) -> dict[str, str]:
    """Read one name a line; returns each with its place, `path:line`.

    Raises:
        ValueError: a name twice, or no name.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        name = line.strip()
        if name in names:
            raise ValueError(f"{path}:{number}: {name} is listed already at {names[name]}; remove one")
        if name:
            names[name] = f"{path}:{number}"
    if not names:
        raise ValueError(f"{path}: expected one name a line, got an empty list")
    return names


def read_classes(path: Path) -> tuple[str, ...]:
    """Read class names in the order of their labels, one a line.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no name, or one twice.
    """
    return tuple(read_names(path))


def check_class_file(folder: Path, classes: Sequence[str]) -> None:
    """Refuse to go on if the folder holds the class names of another data set.

    Raises:
        ValueError: `classes.txt` is there and has other names.
    """
    path = folder / "classes.txt"
    if path.is_file() and (names := read_classes(path)) != tuple(classes):
        raise ValueError(
            f"{path}: holds {len(names)} other classes ({some(names)}) than the data ({len(classes)}: "
            f"{some(classes)}); choose another folder with -o, or remove the file"
        )


def write_classes(folder: Path, classes: Sequence[str]) -> None:
    """Write `classes.txt`, one name a line."""
    names = "".join(f"{name}\n" for name in classes)
    write_text(folder / "classes.txt", names)


def some(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
