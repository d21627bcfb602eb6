from __future__ import annotations

import codecs
import io
from pathlib import Path

import pytest

from paddlevideo.utils.files import read_json_lines
from paddlevideo.utils.text_files import load_json, read_text, text_lines

MARK = codecs.BOM_UTF8


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mark", [b"", MARK])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, mark: bytes) -> None:
    assert read_text(written(tmp_path, mark + b"Walk\r\nRun\r\n")).splitlines() == ["Walk", "Run"]
    assert load_json(written(tmp_path, mark + b"[1]")) == [1]
    lines = written(tmp_path, mark + b'{"a": 1}\r\n{"a": 2}\r\n\r\n \n')
    assert [*read_json_lines(lines, "mend it")] == [(1, [{"a": 1}, {"a": 2}])]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    path = written(tmp_path, mark + '{"a": 1}\n'.encode(encoding))
    said = rf"file: expected text in UTF-8, got {encoding[:6].upper()}; save it as UTF-8"
    for read in (read_text, load_json, lambda path: list(read_json_lines(path, "mend it"))):
        with pytest.raises(ValueError, match=said):
            read(path)


def test_the_line_of_a_byte_that_is_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file:2: expected text in UTF-8 \(.*0xe9.*\); save it as UTF-8"):
        read_text(written(tmp_path, b"Walk\ncaf\xe9\n"))


def test_blank_lines_are_passed_over_at_the_end_only() -> None:
    assert [*text_lines(io.BytesIO(b"a\n\n\nb\n\n \r\n"), "file")] == [b"a\n", b"\n", b"\n", b"b\n"]
    assert [*text_lines(io.BytesIO(b"\n\n"), "file")] == []


def test_line_ends_of_old_macs_are_named_in_json_lines(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file:1: expected line feeds between lines, got CR alone; save it with LF"):
        list(read_json_lines(written(tmp_path, b'{"a": 1}\r{"a": 2}\r'), "mend it"))
    assert read_text(written(tmp_path, b"Walk\rRun\r")).splitlines() == ["Walk", "Run"]


def test_json_that_is_nested_too_deeply(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        load_json(written(tmp_path, b"[" * 100_000))
