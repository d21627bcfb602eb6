"""JSON and XML from anywhere: refused when too large, too deep or with a DTD; every error names its place."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from paddlevideo.formats.text import read_bytes

MAX_DEPTH = 32  # of XML elements in each other
MAX_ELEMENTS = 2 * 10**6  # of XML in a file; each takes about a kilobyte
END_OF_INTEGERS = 10**15  # float64 still tells those below apart
ENCODINGS = ("utf-8", "utf-16", "iso-8859-1", "us-ascii")  # of XML, that expat reads itself


@dataclass(frozen=True)
class Json:
    """A value of a JSON file and its place, such as `a.json: $.annotations[3].bbox`."""

    value: Any
    place: str

    def get(self, key: str) -> Json | None:
        """What an object has under `key`; None if nothing or null."""
        if not isinstance(self.value, dict):
            raise self.error("an object")
        value = self.value.get(key)
        return None if value is None else Json(value, f"{self.place}.{key}")

    def __getitem__(self, key: str) -> Json:
        found = self.get(key)
        if found is None:
            raise self.error(f"an object with {key!r}")
        return found

    def items(self) -> list[Json]:
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self.error("a list")
        return [Json(value, f"{self.place}[{number}]") for number, value in enumerate(self.value)]

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self.error("a text")
        return self.value

    def integer(self, least: int = 0) -> int:
        """An integer that is not below `least`."""
        if type(self.value) is not int or not least <= self.value < END_OF_INTEGERS:
            raise self.error(f"an integer from {least}")
        return self.value

    def numbers(self, count: int) -> list[float]:
        """A list of `count` finite numbers."""
        values = self.value if isinstance(self.value, list) else []
        if len(values) != count or not all(type(v) in (int, float) and abs(v) < END_OF_INTEGERS for v in values):
            raise self.error(f"{count} finite numbers")
        return [float(v) for v in values]

    def error(self, expected: str) -> ValueError:
        """What to raise if the value is something else than expected."""
        shown = ", ".join(self.value) if isinstance(self.value, dict) else repr(self.value)
        return ValueError(f"{self.place}: expected {expected}, got {shown[:100] or 'an empty one'}; mend the file")


def read_json(path: Path) -> Json:
    """Read a JSON file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, too large or nested too deeply; names line and column where it can.
    """
    try:
        return Json(json.loads(read_bytes(path), object_pairs_hook=_once), f"{path}: $")
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}:{error.lineno}:{error.colno}: not JSON ({error.msg}); export the file again"
        ) from error
    except ValueError as error:  # another encoding, an endless number, or a key twice
        raise ValueError(f"{path}: not JSON ({error}); export the file again") from error
    except RecursionError as error:
        raise ValueError(f"{path}: nested too deeply for an annotation; export the file again") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, none of whose values hides another."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return found


@dataclass(slots=True)
class Element:
    """An element of an XML file, its place `path:line`, and the text directly in it."""

    tag: str
    attributes: dict[str, str]
    place: str
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)  # of the text

    def all(self, tag: str) -> list[Element]:
        """The children of this tag, in order."""
        return [child for child in self.children if child.tag == tag]

    def find(self, path: str) -> Element | None:
        """The first element at a path of tags, such as `meta/task`."""
        found: Element | None = self
        for tag in path.split("/"):
            found = next(iter(found.all(tag)), None) if found else None
        return found

    def __getitem__(self, path: str) -> Element:
        found = self.find(path)
        if found is None:
            tags = ", ".join(dict.fromkeys(child.tag for child in self.children)) or "nothing"
            raise ValueError(f"{self.place}: <{self.tag}> should hold <{path}>, got {tags}; export the file again")
        return found

    def attribute(self, name: str) -> str:
        """An attribute that must be there."""
        if name not in self.attributes:
            given = ", ".join(self.attributes) or "none"
            raise ValueError(
                f"{self.place}: <{self.tag}> should have the attribute {name}, got {given}; export the file again"
            )
        return self.attributes[name]

    def content(self) -> str:
        """Its text without blanks around it, which must not be empty."""
        text = "".join(self.pieces).strip()
        if not text:
            raise ValueError(f"{self.place}: <{self.tag}> should hold a text, got nothing; export the file again")
        return text

    def number(self, name: str | None = None) -> float:
        """An attribute, or its text, as a finite number."""
        text = self._text(name)
        value = parse_number(text)
        if value is None:
            raise ValueError(f"{self.place}: {name or self.tag} should be a finite number, got {text!r}; mend it")
        return value

    def integer(self, name: str | None = None, least: int = 0) -> int:
        """An attribute, or its text, as an integer that is not below `least`."""
        text = self._text(name)
        value = parse_integer(text, least)
        if value is None:
            raise ValueError(
                f"{self.place}: {name or self.tag} should be an integer from {least}, got {text!r}; mend it"
            )
        return value

    def _text(self, name: str | None) -> str:
        return self.content() if name is None else self.attribute(name)


def parse_number(text: str) -> float | None:
    """A text as a finite number; None if it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def parse_integer(text: str, least: int = 0) -> int | None:
    """A text as an integer from `least`; None if it is none."""
    value = int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else least - 1
    return value if value >= least else None


def read_xml(path: Path) -> Element:
    """Read an XML file; returns its root.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not XML, too large, nested too deeply, or with a DTD, whose entities can blow a file up or read
            others; names line and column.
    """
    builder = _Builder(path)
    try:
        builder.parser.Parse(read_bytes(path), True)
    except expat.ExpatError as error:
        raise ValueError(
            f"{path}:{error.lineno}:{error.offset}: not XML ({expat.ErrorString(error.code)}); export the file again"
        ) from error
    return builder.top.children[0]


class _Builder:
    """Handlers that turn what expat finds into a tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.top = Element("", {}, str(path))
        self.open = [self.top]
        self.count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = lambda tag: self.open.pop()
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.XmlDeclHandler = self.declare

    @property
    def place(self) -> str:
        return f"{self.path}:{self.parser.CurrentLineNumber}"

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if len(self.open) > MAX_DEPTH or self.count > MAX_ELEMENTS:
            raise ValueError(
                f"{self.place}: expected at most {MAX_ELEMENTS} elements, {MAX_DEPTH} of them in each other; export it "
                "again, in parts if it is long"
            )
        element = Element(tag, attributes, self.place)
        self.open[-1].children.append(element)
        self.open.append(element)

    def characters(self, text: str) -> None:
        self.open[-1].pieces.append(text)

    def declare(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ENCODINGS:
            raise ValueError(
                f"{self.place}: expected an encoding of {', '.join(ENCODINGS)}, got {encoding!r}; save it as utf-8"
            )

    def refuse(self, *_: object) -> None:
        raise ValueError(
            f"{self.place}: refused, annotation needs no document type (<!DOCTYPE), whose entities can blow a file up "
            "or read other files; export it again, or remove it if you trust it"
        )
