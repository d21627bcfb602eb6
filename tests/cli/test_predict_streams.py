"""The prediction command with what has no end, and how it is ended."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import load_script
from tests.tasks.streams import read_lines, read_pictures, write_video


@pytest.mark.usefixtures("own_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_in_order(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    video, folder = write_video(tmp_path / "long.mp4", 3000), tmp_path / "out"
    lines = folder / "long.jsonl"

    def interrupt() -> None:
        while not (lines.exists() and lines.read_bytes().count(b"\n") >= 5):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt, daemon=True).start()
    weights = ["-w", str(trained / "best.pdparams"), "-o", str(folder), "--threshold", "0.01", "--csv"]
    assert load_script("tools/predict.py").main([*weights, "-i", str(video)]) == 130
    assert "interrupted" in capsys.readouterr().err
    written = read_lines(lines)
    assert 5 <= len(written) < 3000
    assert len(read_pictures(folder / "long.mp4")) == len(written)
    tubes = json.loads((folder / "long.tubes.json").read_text())["tubes"]
    boxes = sum(len(line["detections"]) for line in written)
    assert sum(len(tube["frames"]) for tube in tubes) == boxes
    assert len((folder / "long.csv").read_text().splitlines()) == boxes + 1


def test_a_camera_that_is_not_there_is_named(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script("tools/predict.py").main(["-i", "97", "-m", str(exported)]) == 1
    assert "camera 97: cannot be opened" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-c", "any.yaml"], "-c is for weights (-w); an export folder (-m) has its settings in inference.yaml"),
        (["--every", "4"], "--every is for --extractor"),
        (["--threads", "0"], "--threads should be at least 1, got 0"),
        (
            ["--extractor", "any.pdparams"],
            "--extractor is for a network that reads features, and this one reads",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_named(
    exported: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str], said: str
) -> None:
    arguments = ["-i", "any.mp4", "-m", str(exported), "-o", str(tmp_path), *options]
    assert load_script("tools/predict.py").main(arguments) == 1
    assert f"error: {said}" in capsys.readouterr().err


def test_weights_that_are_not_there_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script("tools/predict.py").main(["-i", "any.mp4", "-w", "nowhere.pdparams"]) == 1
    assert "error: nowhere.pdparams: no such file; name weights with their config.yaml" in capsys.readouterr().err
