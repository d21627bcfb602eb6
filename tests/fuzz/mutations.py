"""How inputs are damaged: trees of plain values, text, bytes."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import msgspec
import numpy as np

Rng = np.random.Generator


def pick(items: Sequence[Any], rng: Rng) -> Any:
    """Any one of the items."""
    return items[int(rng.integers(0, len(items)))]


def nested(depth: int) -> list[Any]:
    """Lists in each other."""
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


SMALL: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 3, 0.5, -2.5, float("nan"), float("inf"), -float("inf")),
    *("", "x", "1", "a\0b", "ünïcode \u202e", "../../../../etc/passwd", "/etc/passwd", "a/../../b", "..", "x" * 5000),
    *([], {}, [1, 2], [None], {"name": 1}, {"a": {"b": []}}, nested(150)),
)
VALUES = (*SMALL, 2**31, 2**63, 10**9, 10**18, 10**400, 1e308, 5e-324)
ARRAYS = (
    *(np.zeros((0, 5)), np.full((2, 4), np.nan), np.full((3, 5), np.inf), np.ones((2, 3, 4)), np.float64("nan")),
    *(np.uint8(255), np.int64(-(2**62)), np.array(["a"]), np.array([1e300, 2]), b"bytes", (1, 2), 1j),
)
WORDS = (
    *("", "-1", "0", "1.5", "7", "1e400", "nan", "-inf", "99999999", "9" * 30, "9" * 5000, "1_0", "٣", "²", "0b_"),
    *(
        "\0",
        "\ufeff",
        "\u2028",
        "é\u202e",
        "x" * 20000,
        "null",
        "true",
        "[",
        "{",
        "}",
        '"',
        "'",
        "<",
        "&",
        "%",
        ",",
        "\t",
    ),
    *("[" * 100000, "<a>" * 5000, "{a: " * 3000, "<!DOCTYPE a>", "&lol;", "&#0;", "<!--", "]]>", "<?x?>"),
    *("../../../../etc/passwd", "/etc/passwd", "a/../../b", "..", "Run/..", "/", "C:\\x"),
    *(
        "!!python/object/apply:os.system [x]",
        "!!timestamp 2001-99-99",
        "2001-99-99",
        "!!int a",
        "!!binary é",
        "!!set {a, b}",
    ),
    *(
        "&a [*a]",
        "? [1]\n: 2",
        "<<: [1]",
        "<<: {a: 1}",
        "1: 2",
        "null: 2",
        "? !!set {a}\n: 1",
        "1:99:99",
        "0o9",
        ".inf",
        "--- ",
    ),
)
BOMB = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9) if n else 'x'}]\n" for n in range(9))


def mutate_tree(tree: Any, rng: Rng, values: Sequence[Any] = VALUES) -> Any:
    """A copy with up to three nodes replaced, removed, doubled, wrapped, renamed or exchanged."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.integers(1, 4)):
        places = list(_places(tree))
        if not places:
            break
        holder, key = pick(places, rng)
        other, other_key = pick(places, rng)
        change = int(rng.integers(0, 8))
        if change < 4:
            holder[key] = copy.deepcopy(pick(values, rng))
        elif change == 4:
            del holder[key]
        elif change == 5:
            holder[key] = pick(([holder[key]], {"x": holder[key]}, [holder[key]] * 2), rng)
        elif change == 6 and isinstance(holder, dict):
            holder[pick(("x", "name", 7, None, "../x", "é"), rng)] = holder[key]
        elif change == 6:
            holder.insert(key, holder[key])
        else:
            holder[key] = copy.deepcopy(other[other_key])
    return tree


WRONG: tuple[Any, ...] = (None, True, 7, -1, 0, 2**40, 10**400, 0.5, float("nan"), "x", "", [], [None], {}, {"x": 1})


def single_changes(tree: Any) -> Iterator[tuple[str, Any]]:
    """Copies with one change each: every key dropped, of another type, out of range, or with an unknown one beside it.

    Yields:
        What was changed, and the copy.
    """
    for number, (holder, key) in enumerate(_places(tree)):
        what = f"{number} {key}"
        yield f"{what} dropped", _changed(tree, number, lambda holder, key: holder.pop(key))
        for value in WRONG:
            if type(value) is not type(holder[key]) or value != holder[key]:
                yield f"{what} {type(value).__name__!s}", _changed(tree, number, partial(_put, value=value))
        if isinstance(holder, dict):
            yield f"{what} extra", _changed(tree, number, lambda holder, key: holder.update({f"{key}x": holder[key]}))


def schema_changes(tree: Any, kind: Any) -> Iterator[Any]:
    """Copies with one change each, at every place that a msgspec type describes; the root is a structure.

    Keys are dropped, given a value of every other type, one just out of their range, or an unknown one beside them.
    """
    for path, info in _described(tree, msgspec.inspect.type_info(kind)):
        if path:
            yield _replaced(tree, path, _DROPPED)
            for value in _wrong(info):
                yield _replaced(tree, path, value)
        if isinstance(info, msgspec.inspect.StructType):
            yield _replaced(tree, (*path, "extra"), 1)


_DROPPED = object()
_TYPES: dict[type, tuple[type, ...]] = {
    msgspec.inspect.IntType: (int,),
    msgspec.inspect.FloatType: (float, int),
    msgspec.inspect.StrType: (str,),
    msgspec.inspect.BoolType: (bool,),
    msgspec.inspect.NoneType: (type(None),),
    msgspec.inspect.ListType: (list,),
    msgspec.inspect.DictType: (dict,),
    msgspec.inspect.StructType: (dict,),
}


def _alternatives(info: Any) -> list[Any]:
    """The types of a union, without what only limits them."""
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return [one for part in info.types for one in _alternatives(part)] if hasattr(info, "types") else [info]


def _described(tree: Any, info: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place that a type describes, also of keys that are not there, with its type."""
    yield path, info
    for kind in _alternatives(info):
        inner: list[tuple[Any, Any]] = []
        if isinstance(kind, msgspec.inspect.StructType):
            inner = [(field.encode_name, field.type) for field in kind.fields]
        elif isinstance(kind, msgspec.inspect.DictType) and isinstance(tree, dict):
            inner = [(key, kind.value_type) for key in tree]
        elif isinstance(kind, msgspec.inspect.ListType) and isinstance(tree, list):
            inner = [(number, kind.item_type) for number in range(len(tree))]
        for key, part in inner if isinstance(tree, (dict, list)) else []:
            yield from _described(tree.get(key) if isinstance(tree, dict) else tree[key], part, (*path, key))


def _wrong(info: Any) -> Iterator[Any]:
    """Values of other types than these, and just out of their range."""
    kinds = _alternatives(info)
    allowed = {python for kind in kinds for python in _TYPES.get(type(kind), ())}
    yield from (value for value in WRONG if type(value) not in allowed)
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.IntType):
            least = 0 if kind.ge is None else kind.ge
            yield from (least - 1, (2**31 if kind.le is None else kind.le) + 1, 10**400)
        elif isinstance(kind, msgspec.inspect.ListType):
            yield from ([], [1] * 2000)
        elif isinstance(kind, (msgspec.inspect.DictType, msgspec.inspect.StructType)):
            yield from ({}, {7: 1}, {"": {}})
        elif isinstance(kind, msgspec.inspect.StrType):
            yield from ("", "../x", "a\0b", "\ud800")


def _replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = holder = copy.deepcopy(tree)
    for key in path[:-1]:
        holder = holder[key]
    if value is not _DROPPED:
        holder[path[-1]] = copy.deepcopy(value)
    elif isinstance(holder, list) or path[-1] in holder:
        del holder[path[-1]]
    return made


def from_schema(tree: Any, kind: Any, dump: Callable[[Any], bytes]) -> Callable[[Rng], bytes]:
    """Makes files of `schema_changes`."""
    changes = list(schema_changes(tree, kind))
    return lambda rng: dump(pick(changes, rng))


def _put(holder: Any, key: Any, value: Any) -> None:
    holder[key] = copy.deepcopy(value)


def _changed(tree: Any, number: int, change: Callable[[Any, Any], object]) -> Any:
    made = copy.deepcopy(tree)
    change(*next(islice(_places(made), number, None)))
    return made


def one_change(tree: Any, dump: Callable[[Any], bytes]) -> Callable[[Rng], bytes]:
    """Makes files of `single_changes`, or of two of them one after the other."""
    changes = list(single_changes(tree))

    def make(rng: Rng) -> bytes:
        made = pick(changes, rng)[1]
        return dump(pick(list(single_changes(made)) or [("", made)], rng)[1] if rng.random() < 0.2 else made)

    return make


def mutate_text(text: str, rng: Rng) -> str:
    """Up to three words replaced, words put in, lines removed, doubled or exchanged."""
    for _ in range(rng.integers(1, 4)):
        change, lines = int(rng.integers(0, 10)), text.splitlines(keepends=True)
        if change < 5 and (words := list(re.finditer(r"[^\s<>=\",:{}\[\]/]+", text))):
            word = pick(words, rng)
            text = text[: word.start()] + pick(WORDS, rng) + text[word.end() :]
        elif change < 7:
            place = int(rng.integers(0, len(text) + 1))
            text = text[:place] + pick(WORDS, rng) + text[place:]
        elif lines:
            one, other = rng.integers(0, len(lines), 2).tolist()
            if change == 7:
                del lines[one]
            elif change == 8:
                lines.insert(other, lines[one])
            else:
                lines[one], lines[other] = lines[other], lines[one]
            text = "".join(lines)
    return text


def mutate_bytes(data: bytes, rng: Rng) -> bytes:
    """Up to four bits turned, parts overwritten, removed, doubled, put in, or the end cut off."""
    made = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        start, length = int(rng.integers(0, len(made) + 1)), int(2 ** rng.uniform(0, 9))
        change = int(rng.integers(0, 8))
        if change < 3 and start < len(made):
            made[start] ^= 1 << int(rng.integers(0, 8))
        elif change == 3:
            made[start : start + 4] = pick((b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80"), rng)
        elif change == 4:
            del made[start : start + length]
        elif change == 5:
            made[start:start] = made[start : start + length]
        elif change == 6:
            made[start:start] = rng.bytes(length)
        else:
            del made[start:]
    return bytes(made)


def from_tree(tree: Any, dump: Callable[[Any], bytes], values: Sequence[Any] = VALUES) -> Callable[[Rng], bytes]:
    """Makes files of a damaged tree, some of which are damaged as bytes too."""

    def make(rng: Rng) -> bytes:
        data = dump(mutate_tree(tree, rng, values))
        return mutate_bytes(data, rng) if rng.random() < 0.2 else data

    return make


def from_text(*texts: str) -> Callable[[Rng], bytes]:
    """Makes files of damaged text, some of which are damaged as bytes instead."""

    def make(rng: Rng) -> bytes:
        text = pick(texts, rng)
        if rng.random() < 0.2:
            return mutate_bytes(text.encode(), rng)
        return mutate_text(text, rng).encode("utf-8")

    return make


def from_bytes(*files: bytes) -> Callable[[Rng], bytes]:
    """Makes damaged copies of files."""
    return lambda rng: mutate_bytes(pick(files, rng), rng)


def mixed(*makers: Callable[[Rng], bytes]) -> Callable[[Rng], bytes]:
    """Makes files in one of several ways."""
    return lambda rng: pick(makers, rng)(rng)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every node but the root, as its container and key."""
    if isinstance(tree, (dict, list)):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])
