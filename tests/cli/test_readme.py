"""The commands of the README, each run on a tiny dataset, and `make demo` itself."""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import main
from paddlevideo.config import Config, save_config
from tests.conftest import REPOSITORY, load_script

BY_CONTINUOUS_INTEGRATION = {"make test", "pip install -r requirements.txt"}  # `make test` installs the requirements


def commands(page: str) -> list[str]:
    """Lines of all shell blocks of a page, without remarks."""
    blocks = re.findall(r"```bash\n(.*?)```", (REPOSITORY / page).read_text(encoding="utf-8"), re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]


def test_both_languages_show_the_same_commands() -> None:
    shown = commands("README.md")
    assert shown[:2] == ["make demo", "make test"]
    assert commands("README_cn.md") == shown


@pytest.fixture
def workplace(tiny_config: Config, sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the README's names stand for tiny things."""
    (tmp_path / "configs" / "localization").mkdir(parents=True)
    config = dataclasses.replace(tiny_config, output_dir="output", max_iters=2)
    save_config(config, tmp_path / "configs" / "localization" / "yowo.yaml")
    for folder in ("data/ucf24", "mine"):
        shutil.copytree(sample_data, tmp_path / folder)
    shutil.copytree(sample_data / "videos", tmp_path / "videos")
    shutil.copy(sample_data / "splitfiles" / "pyannot.pkl", tmp_path)
    shutil.copy(sample_data / "splitfiles" / "testlist01.txt", tmp_path)
    video = next((sample_data / "videos").glob("*/*_g2*_c01.mp4"))
    shutil.copy(video, tmp_path / "video.mp4")
    shutil.copy(video, tmp_path / "videos" / "one.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_runs(workplace: Path) -> None:
    for line in commands("README.md"):
        if line in BY_CONTINUOUS_INTEGRATION or line == "make demo":  # the latter has a test of its own
            continue
        python, script, *arguments = shlex.split(line)
        assert python == "python3"
        if script == "data/ucf24/build_split.py":
            arguments += ["-o", "data/ucf24"]
        run = main.main if script == "main.py" else load_script(script).main
        assert run(arguments) == 0, line
    written = {path.name for path in (workplace / "predictions").iterdir()}
    kinds = ("mp4", "jsonl", "tubes.json")
    assert {f"{name}.{kind}" for name in ("video", "one") for kind in kinds} == written


def test_make_demo(tiny_config: Config, tmp_path: Path) -> None:
    data, demo = tmp_path / "sample", tmp_path / "demo"
    datasets = {split: {**node, "index": str(data / f"{split}.jsonl")} for split, node in tiny_config.DATASET.items()}
    config = dataclasses.replace(tiny_config, DATASET=datasets, max_iters=2)
    save_config(config, tmp_path / "tiny.yaml")
    variables = [f"CONFIG={tmp_path / 'tiny.yaml'}", f"DATA={data}", f"DEMO={demo}", "VIDEOS=--train 4 --test 4"]
    result = subprocess.run(
        ["make", "demo", f"VENV={sys.prefix}", *variables], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(list((demo / "predictions").glob("*.mp4"))) == 4
    assert "frame_map@0.5" in (demo / "output" / "test" / "metrics.json").read_text()
    assert f"are in {demo}/predictions" in result.stdout
