from __future__ import annotations

import dataclasses
import logging
import shutil
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddlevideo import __version__
from paddlevideo.config import Config
from paddlevideo.tasks.provenance import Change, changes, facts_of, fingerprint, warn_of_changes


def test_facts_name_settings_code_packages_and_data(tiny_config: Config) -> None:
    facts = facts_of(tiny_config)
    assert facts["config"]["MODEL"]["input"]["size"] == 64
    assert facts["code"]["paddlevideo"] == __version__
    assert facts["packages"]["paddle"] == paddle.__version__
    assert facts["packages"]["numpy"] == np.__version__
    assert set(facts["data"]) == {"train", "test"}
    assert changes(facts, facts_of(tiny_config)) == []


def test_a_phase_that_is_left_out_has_no_data(tiny_config: Config) -> None:
    left_out = dataclasses.replace(tiny_config, DATASET={**tiny_config.DATASET, "test": None})
    assert set(facts_of(left_out)["data"]) == {"train"}
    assert changes({"data": 3}, {"data": {"train": "a"}}) == [Change("data.train", "nothing", "a")]


def with_index(config: Config, index: Path) -> Config:
    return dataclasses.replace(config, DATASET={"test": {**config.DATASET["test"], "index": str(index)}})


def test_the_fingerprint_follows_content_and_classes_and_not_the_place(tiny_config: Config, tmp_path: Path) -> None:
    copy = Path(shutil.copy(tiny_config.DATASET["test"]["index"], tmp_path / "copy.jsonl"))
    before = fingerprint(tiny_config, "test")
    moved = with_index(tiny_config, copy)
    assert fingerprint(moved, "test") == before
    assert fingerprint(dataclasses.replace(moved, classes=("a", "b")), "test") != before
    copy.write_text(copy.read_text() + "\n")
    assert fingerprint(moved, "test") != before


def test_changes_are_named_with_both_values() -> None:
    before = {"config": {"MODEL": {"neck": {"dropout": 0.1}}, "seed": 0}, "data": {"train": "a", "test": "b"}}
    now = {"config": {"MODEL": {"neck": {"dropout": 0.2, "width": 3}}}, "data": {"test": "c"}}
    assert changes(before, now) == [
        Change("config.MODEL.neck.dropout", 0.1, 0.2),
        Change("config.seed", 0, "nothing"),
        Change("data.test", "b", "c"),
        Change("config.MODEL.neck.width", "nothing", 3),
    ]


def test_a_warning_lists_them(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    warn_of_changes({"packages": {"numpy": "1.26"}}, {"packages": {"numpy": "2.3"}, "data": {}}, Path("output/last"))
    assert "when output/last was written:\n  packages.numpy: was 1.26, is 2.3" in caplog.text
    caplog.clear()
    warn_of_changes({"packages": {}}, {"packages": {}, "data": {}}, Path("output/last"))
    assert not caplog.text
