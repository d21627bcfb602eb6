from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest

from paddlevideo.tasks.journal import Journal


def drawn(folder: Path) -> list[tuple[int, float]]:
    from visualdl import LogReader

    files = list((folder / "visualdl").glob("*"))
    assert len(files) == 1
    return [(point.id, point.value) for point in LogReader(file_path=str(files[0])).get_data("scalar", "batch/loss")]


def test_what_came_after_the_position_is_written_again(tmp_path: Path) -> None:
    with Journal(tmp_path, 0) as journal:
        journal.write(1, 1, batch={"loss": 4.0})
        position = journal.position()
        journal.write(2, 1, batch={"loss": 3.0})
        journal.write(2, 1, train={"loss": 3.5}, test={})
    with Journal(tmp_path, position) as journal:
        journal.write(2, 1, batch={"loss": 2.0})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert lines == [
        '{"iteration": 1, "epoch": 1, "batch": {"loss": 4.0}}',
        '{"iteration": 2, "epoch": 1, "batch": {"loss": 2.0}}',
    ]
    assert drawn(tmp_path) == [(1, 4.0), (2, 2.0)]


def test_a_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    for _ in range(2):
        with Journal(tmp_path, 1000) as journal:
            journal.write(1, 1, batch={"loss": 4.0, "norm": math.nan})
    line = '{"iteration": 1, "epoch": 1, "batch": {"loss": 4.0, "norm": null}}'
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == [line, line]
    assert drawn(tmp_path) == [(1, 4.0), (1, 4.0)]


def test_a_lost_journal_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    with Journal(tmp_path, 40) as journal:
        journal.write(3, 1, batch={"loss": 2.0})
    assert "metrics.jsonl lacks 40 bytes" in caplog.text
    assert drawn(tmp_path) == [(3, 2.0)]


@pytest.mark.parametrize("line", ["3", '{"iteration": "x"}', '{"iteration": 2, "batch": {"loss": "x"}}'])
def test_a_line_of_another_program_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(f'{{"iteration": 1, "epoch": 1}}\n{line}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl:2: not a line of this program: .*; delete"):
        Journal(tmp_path, 1000)
