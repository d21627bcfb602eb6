from __future__ import annotations

import pytest

from paddlevideo.utils.logging import Progress, logger


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(logger, "info", lambda form, *values: told.append(form % values))
    return told


def test_a_job_of_unknown_length_has_no_end_in_sight(lines: list[str]) -> None:
    progress = Progress("camera", None, interval=2)
    for _ in range(5):
        progress.step(1)
    assert [message.split(" ")[:2] for message in lines] == [["camera", "2"], ["camera", "4"]]
    assert not any("ETA" in message for message in lines)


def test_a_job_that_is_longer_than_it_said_goes_on(lines: list[str]) -> None:
    progress = Progress("clip", 2, interval=1)
    for _ in range(3):
        progress.step(1)
    assert lines[-1].startswith("clip 3/2 ")
    assert lines[-1].endswith("ETA 0:00")


def test_a_bar_without_a_length_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    for total, bar in ((None, "camera 1 "), (4, "camera [#####...............] 1/4 "), (0, "camera 1/0 ")):
        progress = Progress("camera", total, interval=1)
        progress.is_terminal = True
        progress.step(1)
        assert bar in capsys.readouterr().out
