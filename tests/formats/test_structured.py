from __future__ import annotations

from pathlib import Path

import pytest

from paddlevideo.formats import structured
from paddlevideo.formats.structured import MAX_DEPTH, Json, read_json, read_xml
from paddlevideo.formats.text import MAX_BYTES
from tests.formats.files import write_text

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
BOMBS = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l29;</a>',
    "one long entity": f'<!DOCTYPE a [<!ENTITY x "{"x" * 100_000}">]><a>{"&x;" * 100_000}</a>',
    "another file": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "another host": '<!DOCTYPE a SYSTEM "http://localhost/a.dtd"><a/>',
}


@pytest.mark.parametrize("name", BOMBS)
def test_document_types_are_refused(tmp_path: Path, name: str) -> None:
    path = write_text(tmp_path / "a.xml", '<?xml version="1.0"?>\n' + BOMBS[name])
    with pytest.raises(ValueError, match=r"a\.xml:2: refused, annotation needs no document type"):
        read_xml(path)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    for depth, good in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False), (1_000_000, False)):
        path = write_text(tmp_path / "a.xml", "<a>" * depth + "</a>" * depth)
        if good:
            assert read_xml(path).tag == "a"
        else:
            with pytest.raises(ValueError, match=rf"a\.xml:1: expected at most .*{MAX_DEPTH} of them in each other"):
                read_xml(path)
    deep = write_text(tmp_path / "a.json", "[" * 1_000_000)
    with pytest.raises(ValueError, match=r"a\.json: nested too deeply"):
        read_json(deep)


def test_swarms_of_elements_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structured, "MAX_ELEMENTS", 100)
    assert len(read_xml(write_text(tmp_path / "a.xml", f"<a>{'<b/>' * 99}</a>")).children) == 99
    with pytest.raises(ValueError, match=r"a\.xml:2: expected at most 100 elements, .*in parts"):
        read_xml(write_text(tmp_path / "a.xml", f"<a>\n{'<b/>' * 100}</a>"))


@pytest.mark.parametrize("read", [read_json, read_xml])
def test_huge_files_are_refused_before_they_are_read(tmp_path: Path, read: object) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # takes no space
    with pytest.raises(ValueError, match=rf"huge: expected at most {MAX_BYTES} bytes .*split it"):
        read(path)  # type: ignore[operator]
    with pytest.raises(FileNotFoundError, match="gone: expected a file, got nothing; check the path"):
        read(tmp_path / "gone")  # type: ignore[operator]
    with pytest.raises(FileNotFoundError, match="expected a file, got a folder; check the path"):
        read(tmp_path)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<a>\n<b></a>", r":2:\d+: not XML \(mismatched tag\)"),
        ("", r":1:0: not XML \(no element found\)"),
        ("<a>\n&x;</a>", r":2:\d+: not XML \(undefined entity\)"),
        ("<a/><b/>", r":1:4: not XML \(junk after document element\)"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', ":1: expected an encoding of utf-8, .*, got 'klingon'; save"),
        ('<?xml version="1.0" encoding="euc-jp"?><a/>', ":1: expected an encoding of utf-8, .*, got 'euc-jp'; save"),
    ],
)
def test_broken_xml_is_named_by_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.xml{message}.*(export the file again|as utf-8)"):
        read_xml(write_text(tmp_path / "a.xml", text))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1,\n }', r":2:2: not JSON"),
        (b"", r":1:1: not JSON"),
        (b'{"a": "\xff"}', r": not JSON \(.*utf-8"),
        (b"9" * 5000, r": not JSON \(Exceeds the limit"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', r": not JSON \(the key 'c' stands twice in one object\)"),
    ],
)
def test_broken_json_is_named_by_line_and_column(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"a\.json{message}"):
        read_json(path)


def test_elements_know_their_lines_and_texts(tmp_path: Path) -> None:
    root = read_xml(write_text(tmp_path / "a.xml", '<a>\n<b n="3">x<c/>y</b>\n<b n="4"/></a>'))
    first, second = root.all("b")
    assert (first.content(), first.integer("n"), second.number("n")) == ("xy", 3, 4.0)
    assert second.place.endswith("a.xml:3")
    assert root["b/c"].place.endswith("a.xml:2")
    with pytest.raises(ValueError, match=r"a\.xml:1: <a> should hold <b/d>, got b; export"):
        root["b/d"]
    with pytest.raises(ValueError, match=r"a\.xml:3: <b> should have the attribute m, got n; export"):
        second.attribute("m")
    with pytest.raises(ValueError, match=r"a\.xml:2: <c> should hold a text"):
        root["b/c"].content()
    with pytest.raises(ValueError, match=r"a\.xml:3: n should be an integer from 5, got '4'"):
        second.integer("n", least=5)


@pytest.mark.parametrize(
    ("value", "ask", "message"),
    [
        ({}, lambda v: v["b"], r"\$: expected an object with 'b', got an empty one"),
        ({"b": None}, lambda v: v["b"], r"\$: expected an object with 'b', got b"),
        ([], lambda v: v["b"], r"\$: expected an object, got \[\]"),
        ({"b": {}}, lambda v: v["b"].items(), r"\$\.b: expected a list"),
        ({"b": [0, ""]}, lambda v: v["b"].items()[1].text(), r"\$\.b\[1\]: expected a text, got ''"),
        (True, lambda v: v.integer(), "expected an integer from 0, got True"),
        (1.0, lambda v: v.integer(), "expected an integer from 0, got 1.0"),
        (-1, lambda v: v.integer(), "expected an integer from 0, got -1"),
        (10**30, lambda v: v.integer(), "expected an integer from 0, got 10"),
        ([1, float("nan")], lambda v: v.numbers(2), "expected 2 finite numbers, got .*nan"),
        ([1], lambda v: v.numbers(2), "expected 2 finite numbers"),
        ([1, 10**400], lambda v: v.numbers(2), "expected 2 finite numbers"),
        ([1, True], lambda v: v.numbers(2), "expected 2 finite numbers"),
    ],
)
def test_wrong_json_values_are_named_by_path(value: object, ask: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.json: .*{message}.*; mend the file"):
        ask(Json(value, "a.json: $"))  # type: ignore[operator]
