from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml

from paddlevideo.loader.media.live import Connection
from paddlevideo.tasks.manifest import read_facts, write_facts
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.utils.command import run_command
from tests.fuzz.mutations import single_changes

Facts = dict[str, Any]


@pytest.fixture(scope="module")
def clip(sample_data: Path) -> Path:
    return next((sample_data / "videos").glob("*/*_g2*_c01.mp4"))


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "export"))


def facts_of(folder: Path) -> Facts:
    facts: Facts = yaml.safe_load((folder / "inference.yaml").read_text())
    return facts


def put(folder: Path, facts: Any) -> None:
    (folder / "inference.yaml").write_text(yaml.safe_dump(facts))


def test_what_is_written_is_read(exported: Path, tmp_path: Path) -> None:
    facts = read_facts(exported)
    write_facts(tmp_path, facts)
    assert read_facts(tmp_path) == facts
    assert (tmp_path / "inference.yaml").read_text() == (exported / "inference.yaml").read_text()


def without(key: str, **others: Any) -> Callable[[Facts], Any]:
    """A change of an older folder, which does not tell what its network takes."""

    def change(facts: Facts) -> None:
        del facts[key]
        for name, value in others.items():
            facts[name] = {**facts[name], **value} if isinstance(value, dict) else value

    return change


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "paddle"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            without("inputs", input={"num_frames": 10**6}),
            r"an input clip \[3, 4, 64, 64\], .* it \[3, 1000000, 64, 64\]",
        ),
        (without("inputs", input={"size": 60000}), r"an input clip \[3, 4, 64, 64\], .* it \[3, 4, 60000, 60000\]"),
    ],
)
def test_inputs_are_those_of_the_network_before_there_is_room_for_them(
    folder: Path, engine: str, change: Callable[[Facts], Any], said: str
) -> None:
    facts = facts_of(folder)
    change(facts)
    put(folder, facts)
    with pytest.raises(ValueError, match=said):
        Predictor.from_export(folder, engine)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.update(source={"nmae": "x"}), "source: it lacks the key name"),
        (lambda f: f.update(source={"name": "ActionDataset"}), "expected a dataset that reads a user's files"),
        (lambda f: f.update(source={"name": "Nothing"}), "source: no dataset called 'Nothing'"),
        (lambda f: f.update(pipeline={}), "pipeline or source: PIPELINE: expected `sample`"),
        (lambda f: f["pipeline"].update(sample=None), "pipeline: sample should be a mapping, got null"),
        (lambda f: f["pipeline"].update(sampel={}), "pipeline: it has an unknown key sampel"),
        (lambda f: f["pipeline"]["sample"].update(strides=[2**62]), "strides should be positive, up to 1000000"),
        (
            lambda f: f["postprocess"].update(iou_threshold=float("inf")),
            r"postprocess\.iou_threshold should be a number",
        ),
        (lambda f: f["outputs"].reverse(), "outputs should be in the order of the alphabet"),
        (lambda f: f["outputs"].__setitem__(1, "boxes"), "outputs has 'boxes' twice"),
        (lambda f: f["graphs"]["paddle"]["files"].pop("model"), r"graphs\.paddle\.files lacks the key model"),
        (lambda f: f["graphs"]["paddle"]["settings"].update(onednn="no"), r"settings\.onednn should be true or false"),
        (lambda f: f["graphs"]["paddle"].update(setting={}), r"graphs\.paddle has an unknown key setting"),
        (lambda f: f["inputs"].update(clip=[3, 4, 64, 0]), r"inputs\.clip\[3\] should be an integer >= 1, got 0"),
        (lambda f: f.update(num_classes=True), "num_classes should be an integer or null, got True"),
        (lambda f: f.update(plugins=[5]), r"plugins\[0\] should be a text, got 5"),
        (
            lambda f: f["classes"].__setitem__(0, "\ud800"),
            "expected text that can be written as UTF-8",
        ),
        (lambda f: f["classes"].__setitem__(0, f["classes"][1]), "classes has 'Pulse' twice"),
    ],
)
def test_every_key_is_checked(folder: Path, change: Callable[[Facts], Any], said: str) -> None:
    facts = facts_of(folder)
    change(facts)
    put(folder, facts)
    with pytest.raises(ValueError, match=rf"inference\.yaml:.*{said}"):
        Predictor.from_export(folder)


def predict(folder: Path, clip: Path, out: Path) -> None:
    predictor = Predictor.from_export(folder, threads=1)
    sources = predictor.sources(str(clip), Connection())
    predict_streams(predictor, sources, out, StreamOptions(threshold=0.0, stride=40), Event())


def test_an_export_without_a_source_reads_no_files_of_a_user(folder: Path, clip: Path) -> None:
    put(folder, {**facts_of(folder), "source": {}})
    predictor = Predictor.from_export(folder)
    with pytest.raises(TypeError, match=r"inference\.yaml: nothing says how a user's files are read; add INFERENCE"):
        predictor.sources(str(clip), Connection())


@pytest.mark.parametrize("names", [["a"], []])
def test_a_network_of_more_classes_than_there_are_names(folder: Path, clip: Path, tmp_path: Path, names: Any) -> None:
    facts = {**facts_of(folder), "classes": names}
    del facts["num_classes"]
    put(folder, facts)
    with pytest.raises(
        ValueError, match=rf"inference\.yaml: classes should be the 4 names or more .*, got {len(names)}"
    ):
        predict(folder, clip, tmp_path)


EVERY = 9  # of the changes, of which `python -m tests.fuzz --kind inference.yaml` tries all and more


def test_any_change_is_read_or_refused_with_its_place(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of(folder)
    changes = list(single_changes(facts))
    assert len(changes) > 500
    for what, changed in changes[::EVERY]:
        put(folder, changed)
        code = run_command(partial(Predictor.from_export, folder, threads=1))
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == code, (what, lines)
        for line in lines:
            assert line.startswith("error: "), what
            assert str(folder) in line, (what, line)
