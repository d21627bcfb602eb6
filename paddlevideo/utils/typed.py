"""Values from files as typed structures: no key can be missing, unknown, of another type or out of range unseen."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
SHOWN = 100  # characters of a value
_WORDS = {
    **{"object": "a mapping", "array": "a list", "str": "a text", "int": "an integer", "float": "a number"},
    **{"bool": "true or false", "null": "null"},
}
_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<place>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<number>\d+|\.\.\.)\]")


def typed(value: Any, kind: type[T], where: str, remedy: str) -> T:
    """A value of plain containers as a structure of msgspec.

    Args:
        value: as parsed.
        kind: a `msgspec.Struct`, or any other type that msgspec knows.
        where: file, or file and line, which begins the message.
        remedy: what to do, which ends it.

    Raises:
        ValueError: a key is missing or unknown, or its value is of another type or out of range; names the key.
    """
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"{where}: {_explain(value, kind, str(error))}; {remedy}") from error


def _explain(tree: Any, kind: Any, message: str) -> str:
    """A message of msgspec with the key, and with what is there."""
    match = _MESSAGE.fullmatch(message)
    if match is None or match["key"]:
        return message.replace("`", "").replace("$.", "").replace("$", "the top")
    place, found = "", tree
    for step in _STEP.finditer(match["place"] or ""):
        if step["name"] is not None:
            key, place = step["name"], f"{place}.{step['name']}" if place else step["name"]
        elif step["number"] == "...":
            key = next(key for key in list(found) if _fails_alone(tree, kind, found, key, message))
            place = f"{place}.{key}" if place else str(key)
        else:
            key, place = int(step["number"]), f"{place}[{step['number']}]"
        found = found[key]
    return _sentence(place or "it", match["what"], found)


def _fails_alone(tree: Any, kind: Any, mapping: dict[Any, Any], key: Any, message: str) -> bool:
    """Whether a message, which does not name keys of mappings, is about this one."""
    rest = dict(mapping)
    mapping.clear()
    mapping[key] = rest[key]
    try:
        msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        return str(error) == message
    finally:
        mapping.clear()
        mapping.update(rest)
    return False


def _sentence(place: str, what: str, found: Any) -> str:
    field = re.search(r"`(.*)`", what)
    if field is not None and what.startswith("Object missing"):
        return f"{place} lacks the key {field[1]}"
    if field is not None and what.startswith("Object contains"):
        return f"{place} has an unknown key {field[1]}"
    expected = what.partition(", got")[0].removeprefix("Expected ")
    expected = re.sub(r"`([^`]*)`", lambda kinds: " or ".join(map(_spell, kinds[1].split(" | "))), expected)
    return f"{place} should be {expected}, got {_short(found)}"


def _spell(kind: str) -> str:
    return _WORDS.get(kind, kind)


def _short(value: Any) -> str:
    """The beginning of what a value is; large integers cannot be printed."""
    if value is None:
        return "null"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    try:
        return repr(value)[:SHOWN]
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"
