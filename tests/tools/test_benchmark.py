from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paddlevideo import engines
from paddlevideo.tasks.benchmark import Result, Row, peak_memory, table
from paddlevideo.utils.process import in_own_process
from tests.conftest import load_script


def test_rows_are_measured_and_the_others_say_why(
    exported: Path, trained: Path, sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "onnxruntime" else object())
    video = next((sample_data / "videos").glob("*/*_g2*_c01.mp4"))
    arguments = ["-m", str(exported), "-i", str(video), "--rounds", "2", "--frames", "2"]
    scored = ["-c", str(trained / "config.yaml"), "-o", "DATASET.test.step=40"]
    only = ["--only", "openvino:float32", "onnxruntime:float32", "--json", str(tmp_path / "b.json")]
    assert load_script("tools/benchmark.py").main([*arguments, *scored, *only]) == 0
    written = json.loads((tmp_path / "b.json").read_text())
    absent, measured = written["rows"]
    assert "onnxruntime is not installed" in absent["note"]
    assert len(measured["frame"]) == len(measured["network"]) == 2
    assert min(measured["frame"] + measured["network"]) > 0
    assert measured["relative"] < 1e-5
    assert measured["memory"] > 50
    assert 0 <= measured["score"] <= 1
    printed = capsys.readouterr().out
    assert written["machine"] in printed
    assert "not installed" in printed


def test_the_table_by_hand() -> None:
    row = Row(Path("a/yowo"), "paddle", "float32", 2, Path("v.mp4"))
    slow = Result(row, "", [50.0, 40.0, 60.0], [30.0, 20.0, 40.0], 100.4, 1e-6, 2e-6, 0.75)
    fast = Result(replace(row, engine="openvino"), "", [20.0] * 3, [10.0] * 3, 80.0, 1e-2, 2e-2, 0.5)
    absent = Result(replace(row, engine="onnxruntime"), "not there")
    lines = [" ".join(line.split()) for line in table([slow, absent, fast]).splitlines()]
    assert lines == [
        "model engine precision ms a frame FPS ms network speed MB absolute relative score change",
        "yowo paddle float32 50.0 (40.0-60.0) 20.0 30.0 (20.0-40.0) 1.00 100 1.0e-06 2.0e-06 0.7500 +0.0000",
        "yowo onnxruntime float32 not there",
        "yowo openvino float32 20.0 (20.0-20.0) 50.0 10.0 (10.0-10.0) 3.00 80 1.0e-02 2.0e-02 0.5000 -0.2500",
    ]


def test_memory_is_that_of_the_process_itself() -> None:
    ballast = np.ones(300 << 20, np.uint8)
    own, fresh = peak_memory(), in_own_process(peak_memory)
    assert own is not None
    assert fresh is not None
    assert own > len(ballast) / 2**20
    assert fresh < own - len(ballast) / 2**20 / 2


def test_where_the_numbers_go_is_looked_at_first(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = load_script("tools/benchmark.py").main
    measured = ["-m", str(exported), "-i", "any.mp4"]
    assert command([*measured, "--json", str(tmp_path)]) == 1
    assert "expected a file, this is a folder" in capsys.readouterr().err
    assert command([*measured, "--json", "/proc/no/x.json"]) == 1
    assert "cannot write into this folder" in capsys.readouterr().err
    assert command([*measured, "-o", "seed=1", "--json", str(tmp_path / "x.json")]) == 1
    assert "-o changes a config; name it with -c" in capsys.readouterr().err


def test_nothing_to_measure(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script("tools/benchmark.py").main(["-i", "v.mp4"]) == 1
    assert "-m or -w name a network" in capsys.readouterr().err
