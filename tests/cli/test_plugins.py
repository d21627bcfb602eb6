"""The example of docs/plugins.md, from training to a prediction, with and without the user's word for it."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest
import yaml

import main
from paddlevideo.config import Config, save_config
from paddlevideo.registry import BACKBONES, DATASETS
from paddlevideo.tasks.parts import build_dataset, build_model
from paddlevideo.utils.command import chosen_config
from tests.conftest import REPOSITORY, load_script

PAGE = (REPOSITORY / "docs" / "plugins.md").read_text()
MODULE = "my_actions.parts"


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0]


@pytest.fixture
def example(tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's package, and its config on the tiny dataset."""
    (tmp_path / "my_actions").mkdir()
    (tmp_path / "my_actions" / "__init__.py").write_text("")
    (tmp_path / "my_actions" / "parts.py").write_text(block("python"))
    monkeypatch.syspath_prepend(tmp_path)
    for registry in (BACKBONES, DATASETS):
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))
    told = yaml.safe_load(block("yaml"))
    assert told["plugins"] == [MODULE]
    train = {**told["DATASET"]["train"], "index": tiny_config.DATASET["train"]["index"]}
    changed = dataclasses.replace(
        tiny_config,
        plugins=told["plugins"],
        MODEL={**tiny_config.MODEL, **told["MODEL"]},
        DATASET={**tiny_config.DATASET, "train": train},
        output_dir=str(tmp_path / "output"),
        max_iters=1,
    )
    save_config(changed, tmp_path / "mine.yaml")
    return tmp_path


def forget() -> None:
    """As in a new process."""
    for registry in (BACKBONES, DATASETS):
        for name in [name for name in registry if registry.get(name).__module__ == MODULE]:
            del registry._classes[name]
    for name in (MODULE, "my_actions"):
        sys.modules.pop(name, None)


def test_the_parts_are_used(example: Path) -> None:
    config = chosen_config(example / "mine.yaml")
    model = build_model(config)
    assert model.backbone_3d.patches.weight.shape == [32, 3, 3, 32, 32]
    heights = [(b[:, 3] - b[:, 1]).min() for b in boxes_of(config, model)]
    assert min(heights) >= 0.2
    forget()


def boxes_of(config: Config, model: object) -> list[object]:
    dataset = build_dataset(config, "train", model.input)  # type: ignore[attr-defined]
    found = [dataset.annotation(index)["targets"]["boxes"] for index in range(len(dataset))]
    return [boxes for boxes in found if len(boxes)]


def test_the_example_from_training_to_a_prediction(
    example: Path, sample_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, predict = example / "output", load_script("tools/predict.py")
    assert main.main(["-c", str(example / "mine.yaml")]) == 0
    weights = ["-w", str(output / "best.pdparams")]
    video = next((sample_data / "videos").glob("*/*.mp4"))
    on_video = ["-m", str(output / "inference"), "-i", str(video), "-o", str(example / "predictions")]

    forget()
    for command in (["--test", *weights], ["--export", *weights]):
        assert main.main(command) == 1
        assert f"config.yaml: its parts come from {MODULE}" in capsys.readouterr().err
    assert MODULE not in sys.modules
    assert main.main(["--export", *weights, "--plugin", MODULE]) == 0

    forget()
    assert predict.main(on_video) == 1
    assert f"if you trust it, add --plugin {MODULE}" in capsys.readouterr().err
    assert predict.main([*on_video, "--plugin", MODULE]) == 0
    assert (example / "predictions" / f"{video.stem}.jsonl").is_file()
    forget()
