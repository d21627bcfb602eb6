from __future__ import annotations

import io
import json
import logging
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.utils.command import run_command
from paddlevideo.utils.drawing import contact_sheet, draw_classes
from paddlevideo.utils.files import output_folder, write_json
from paddlevideo.utils.logging import logger, start_logging
from paddlevideo.utils.names import check_path, check_text, openable, output_name, printable, visible
from paddlevideo.utils.opencv_files import open_capture, open_writer
from paddlevideo.utils.timeline import draw_timeline

LATIN = os.fsdecode(b"caf\xe9")


def test_what_is_printed_is_utf8() -> None:
    assert printable(f"{LATIN}/打球") == r"caf\udce9/打球"
    assert printable("\ud800") == r"\ud800"


@pytest.mark.parametrize(("text", "rule"), [("\ud800", "written as UTF-8"), ("a\0b", "without NUL")])
def test_texts_that_no_file_can_hold(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.json: id should be text .*{rule}.*, got '.*'; mend it"):
        check_text(text, "a.json: id", "mend it")
    with pytest.raises(ValueError, match=rf"the path should be text .*{rule}"):
        check_path(text)
    with pytest.raises(ValueError, match=rf"the path should be text .*{rule}"):
        output_folder(text)


def test_good_texts_and_paths() -> None:
    for text in ("", "打球", "50%", "a\nb", "\U0001f3c3"):
        check_text(text, "here", "mend it")
    check_path(LATIN)


def test_a_name_that_libraries_can_open(tmp_path: Path) -> None:
    plain, odd = tmp_path / "a:b 50%d.mp4", tmp_path / LATIN / f"{LATIN}.mp4"
    with openable(plain) as place:
        assert place == str(plain)
    odd.parent.mkdir()
    odd.write_bytes(b"content")
    with openable(odd) as place:
        assert (place.isascii(), Path(place).suffix, Path(place).read_bytes()) == (True, ".mp4", b"content")
    assert not Path(place).parent.exists()


def test_videos_of_any_name_are_written_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / LATIN
    folder.mkdir()
    monkeypatch.chdir(folder)  # a relative path may be odd as a whole
    for path in (folder / f"{LATIN}.mp4", Path("plain.mp4"), Path(f"a:b 50%d{LATIN}.mp4")):
        writer = open_writer(path, 25, (48, 64))
        for _ in range(3):
            writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.release()
        capture = open_capture(path)
        assert sum(iter(capture.grab, False)) == 3
        capture.release()
    assert len(list(folder.iterdir())) == 3


def test_what_systems_put_beside_files_is_passed_over(tmp_path: Path) -> None:
    names = ["._x.mp4", ".DS_Store", "Thumbs.db", "__MACOSX/._x.mp4", ".ipynb_checkpoints/x-checkpoint.mp4", "a/x.mp4"]
    root = tmp_path / ".hidden"  # which the user has named
    assert visible([root / name for name in names], root) == [root / "a/x.mp4"]


def test_names_of_outputs() -> None:
    assert output_name('打球 (1), "a" & <b>\'') == '打球 (1), "a" & <b>\''
    assert output_name(LATIN) == "caf%E9"
    assert output_name("a/b\0c\n") == "a%2Fb%00c%0A"
    long = ["ü" * 200, "ü" * 199 + "x"]
    assert all(len(output_name(name).encode()) <= 160 for name in long)
    assert output_name(long[0]) != output_name(long[1])


def test_pictures_hold_any_text() -> None:
    frame = np.zeros((64, 96, 3), np.uint8)
    assert draw_classes(frame, [(0, 0.5)], ["\ud800"]).shape == frame.shape
    assert draw_timeline(LATIN, 10.0, []).ndim == 3
    assert contact_sheet([frame], [LATIN], 1).ndim == 3


def test_terminal_and_log_file_take_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    try:
        assert run_command(lambda: print(f"note: {LATIN}")) == 0
        start_logging(tmp_path / "run.log")
        logger.info("%s: done", LATIN)
    finally:
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
    stream.flush()
    said = stream.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert said.startswith("note: caf\\udce9\n")
    assert r"caf\udce9: done" in said
    assert r"caf\udce9: done" in (tmp_path / "run.log").read_text(encoding="utf-8")
    assert logging.raiseExceptions  # a handler that fails would say so


def test_json_keeps_names_that_are_not_utf8(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"source": f"{LATIN}/打球"})
    assert "打球" in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"source": f"{LATIN}/打球"}
