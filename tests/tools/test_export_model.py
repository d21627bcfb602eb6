from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.config import Config
from paddlevideo.engines import ENGINES
from paddlevideo.tasks.exporter import CalibrationClips, probe
from paddlevideo.tasks.parts import build_dataset, build_model
from paddlevideo.tasks.predictor import Predictor
from tests.conftest import EVERY, load_script


def test_the_report_has_every_engine_precision_and_output(exported: Path) -> None:
    rows = json.loads((exported / "export_report.json").read_text())
    place = {(row["format"], row["engine"], row["precision"], row["output"]) for row in rows}
    outputs = ("boxes", "objectness", "probabilities")
    assert place == {(ENGINES[name].formats[p], name, p, output) for name, p in EVERY for output in outputs}
    assert all(0 <= row["relative"] < 1e-3 for row in rows if row["precision"] == "float32")


def test_the_reference_is_what_the_eager_network_answers(exported: Path) -> None:
    predictor = Predictor.from_export(exported, "paddle")
    answer = predictor.network(probe(predictor))
    with np.load(exported / "reference.npz") as reference:
        assert set(reference) == set(answer)
        for name, value in reference.items():
            np.testing.assert_allclose(answer[name], value, atol=1e-4 * np.abs(value).max())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "paddle,onxx"], "--format: expected some of paddle, onnx, openvino, got 'paddle, onxx'"),
        (["--precision", "int8", "--calibration", "0"], "expected at least 1 sample to quantise on, got 0"),
    ],
)
def test_what_cannot_be_written_is_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    weights = ["-p", str(trained / "best.pdparams"), "-o", str(tmp_path)]
    assert load_script("tools/export_model.py").main([*weights, *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_format_alone(trained: Path, tmp_path: Path) -> None:
    weights = ["-p", str(trained / "best.pdparams"), "-o", str(tmp_path)]
    assert load_script("tools/export_model.py").main([*weights, "--format", "onnx"]) == 0
    written = {"model.onnx", "inference.yaml", "reference.npz", "export_report.json"}
    assert {path.name for path in tmp_path.iterdir()} == written


def test_calibration_clips_are_spread_over_the_training_set(tiny_config: Config) -> None:
    model = build_model(tiny_config)
    dataset = build_dataset(tiny_config, "train", model.input)
    clips = CalibrationClips(tiny_config, model, 3)
    chosen = [0, (len(dataset) - 1) // 2, len(dataset) - 1]
    assert len(clips) == 3
    for clip, index in zip(clips, chosen, strict=True):
        np.testing.assert_array_equal(clip["clip"][0], dataset[index]["inputs"]["clip"])
    assert len(CalibrationClips(tiny_config, model, 10**6)) == len(dataset)
