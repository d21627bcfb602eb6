"""Export folders of networks in parts, and predictions with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from paddlevideo.config import Config, load_config
from paddlevideo.engines import ENGINES
from paddlevideo.tasks.exporter import FORMATS, export_weights
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Predictor, exported_sliding, frame_steps, read_facts
from paddlevideo.tasks.sliding import SlidingNetwork
from tests.conftest import REPOSITORY, load_script

EQUAL = 1e-4


@pytest.fixture(scope="module")
def config(tiny_overrides: list[str]) -> Config:
    path = REPOSITORY / "configs" / "localization" / "yowo_sample.yaml"
    return load_config(path, [*tiny_overrides, "MODEL.input.num_frames=8"])


@pytest.fixture(scope="module")
def weights(trained: Path) -> Path:
    """Those of shorter clips, which fit all lengths."""
    return trained / "best.pdparams"


@pytest.fixture(scope="module")
def exported(config: Config, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_weights(config, weights, tmp_path_factory.mktemp("exported"), FORMATS)


@pytest.fixture(scope="module")
def video(sample_data: Path) -> Path:
    return next((sample_data / "videos").glob("*/*_g2*_c01.mp4"))


def assert_equal_answers(found: Predictor, expected: Predictor) -> None:
    assert isinstance(found.network, SlidingNetwork)
    assert not isinstance(expected.network, SlidingNetwork)
    frames = np.random.default_rng(0).random((1, 3, 20, 64, 64), np.float32)
    for first in range(13):
        inputs = {"clip": frames[:, :, first : first + 8]}
        answer = found.network(inputs)
        for name, value in expected.network(inputs).items():
            np.testing.assert_allclose(answer[name], value, rtol=0, atol=EQUAL * np.abs(value).max(), err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_export_with_reuse_answers_as_one_without(exported: Path, engine: str) -> None:
    found = Predictor.from_export(exported, engine, reuse=1)
    assert_equal_answers(found, Predictor.from_export(exported, engine))


def test_a_precision_without_parts_runs_the_whole_network(exported: Path) -> None:
    facts = read_facts(exported)["reuse"]
    assert exported_sliding(exported, facts, ENGINES["openvino"], "int8") is None
    assert exported_sliding(exported, facts, ENGINES["onnxruntime"], "bf16") is None


def test_weights_with_reuse_answer_as_without(config: Config, weights: Path) -> None:
    found = Predictor.from_checkpoint(config, weights, reuse=1)
    assert_equal_answers(found, Predictor.from_checkpoint(config, weights))


def test_the_command_writes_the_same_predictions(exported: Path, video: Path, tmp_path: Path) -> None:
    written = {}
    for reuse in ("auto", "off"):
        arguments = ["-m", str(exported), "-i", str(video), "-o", str(tmp_path / reuse), "--threshold", "0"]
        assert load_script("tools/predict.py").main([*arguments, "--reuse", reuse]) == 0
        lines = (tmp_path / reuse / f"{video.stem}.jsonl").read_text().splitlines()
        written[reuse] = [[found["score"] for found in json.loads(line)["detections"]] for line in lines]
    assert any(written["off"])
    for found, expected in zip(written["auto"], written["off"], strict=True):
        assert found == pytest.approx(expected, abs=2 * EQUAL)  # they are rounded to four places


def test_the_parts_hold_no_weights_twice(exported: Path) -> None:
    def size(name: str) -> int:
        return (exported / name / "model.pdiparams").stat().st_size

    assert size("stem") + size("rest") == pytest.approx(size("."), rel=0.01)


def change(folder: Path, target: Path, edit: Any) -> Path:
    shutil.copytree(folder, target, dirs_exist_ok=True)
    facts = yaml.safe_load((target / "inference.yaml").read_text())
    edit(facts)
    (target / "inference.yaml").write_text(yaml.safe_dump(facts))
    return target


def test_folders_without_a_word_about_reuse_can_be_read(exported: Path, tmp_path: Path) -> None:
    older = change(exported, tmp_path, lambda facts: facts.pop("reuse"))
    assert not isinstance(Predictor.from_export(older, reuse=1).network, SlidingNetwork)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda facts: facts.update(reuse=[]), r"reuse\.kernel should be a int"),
        (lambda facts: facts["reuse"].update(padding="3"), r"reuse\.padding should be a int"),
        (lambda facts: facts["reuse"].update(padding=7), "padding 7 and kernel 7 do not fit"),
        (lambda facts: facts["reuse"]["parts"].pop("taps"), r"reuse\.parts\.taps\.graphs should be a dict"),
        (lambda facts: facts["reuse"]["parts"]["rest"].update(outputs="a"), r"rest\.outputs should be a list"),
    ],
)
def test_facts_that_cannot_be_are_named(exported: Path, tmp_path: Path, edit: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_facts(change(exported, tmp_path, edit))


@pytest.mark.parametrize("steps", [1, 3])
def test_as_many_clips_are_kept_as_there_are_steps_between_frames(config: Config, steps: int) -> None:
    pipeline = {**config.PIPELINE["test"], "sample": {**config.PIPELINE["test"]["sample"], "strides": [steps]}}
    assert frame_steps(pipeline, build_model(config).input) == steps
