"""The page for your own data: its commands, run on a CVAT export of three classes at 400x300."""

from __future__ import annotations

import glob
import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import main
from paddlevideo.config import Config, load_config, save_config
from paddlevideo.loader.index import read_index
from tests.cli.test_readme import commands
from tests.conftest import REPOSITORY, load_script

PAGE = "docs/own_data.md"
SPEEDS = {"Rise": (0, -4), "Cross": (5, 0), "Stay": (0, 0)}  # pixels a frame, x and y
WIDTH, HEIGHT, LENGTH = 400, 300, 24
FIRST, LAST = 4, 19  # annotated, from 0
EPOCHS = 12
TASK = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>{number}</id>
      <name>{name}</name>
      <size>{length}</size>
      <mode>interpolation</mode>
      <start_frame>0</start_frame>
      <stop_frame>{last}</stop_frame>
      <frame_filter></frame_filter>
      <labels>{labels}
      </labels>
      <original_size>
        <width>{width}</width>
        <height>{height}</height>
      </original_size>
      <source>{name}.mp4</source>
    </task>
  </meta>
  <track id="0" label="{label}" source="manual">{boxes}
  </track>
</annotations>
"""
LABEL = "\n        <label>\n          <name>{}</name>\n          <type>any</type>\n        </label>"
BOX = """
    <box frame="{}" keyframe="1" outside="{}" occluded="0" xtl="{:.2f}" ytl="{:.2f}" xbr="{:.2f}" ybr="{:.2f}">
    </box>"""


def corners(label: str, frame: int) -> list[int]:
    """The box of the actor on a frame, x1, y1, x2, y2."""
    dx, dy = (speed * (frame - FIRST) for speed in SPEEDS[label])
    return [60 + dx, 150 + dy, 130 + dx, 260 + dy]


def write_video(folder: Path, number: int, label: str, name: str) -> None:
    """An actor who comes, acts and goes, and what CVAT exports of it."""
    writer = cv2.VideoWriter(
        str(folder / "videos" / f"{name}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (WIDTH, HEIGHT)
    )
    for frame in range(LENGTH):
        picture = np.full((HEIGHT, WIDTH, 3), 40 + 20 * (number * 2 % 9), np.uint8)
        if FIRST <= frame <= LAST:
            x1, y1, x2, y2 = corners(label, frame)
            cv2.rectangle(picture, (x1, y1), (x2, y2), (90, 200, 250), -1)
        writer.write(picture)
    writer.release()
    shapes = (
        BOX.format(frame, int(frame > LAST), *map(float, corners(label, frame))) for frame in (FIRST, LAST, LAST + 1)
    )
    text = TASK.format(
        number=number, name=name, label=label, length=LENGTH, last=LENGTH - 1, width=WIDTH, height=HEIGHT,
        labels="".join(map(LABEL.format, SPEEDS)), boxes="".join(shapes),
    )  # fmt: skip
    (folder / "annotations" / f"{name}.xml").write_text(text)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the page, with nine videos; the config sees each annotated frame of them eight times."""
    for folder in ("mine/videos", "mine/annotations", "configs/localization"):
        (tmp_path / folder).mkdir(parents=True)
    names = [(f"{part}_{label.lower()}", label) for part in ("monday", "tuesday", "friday") for label in SPEEDS]
    for number, (name, label) in enumerate(names):
        write_video(tmp_path / "mine", number, label, name)
    (tmp_path / "mine" / "test.txt").write_text("".join(f"{name}\n" for name, _ in names[6:]))
    shutil.copy(tmp_path / "mine" / "videos" / "monday_rise.mp4", tmp_path / "mine" / "new.mp4")
    path = Path("configs") / "localization" / "yowo_sample.yaml"
    few = ["DATASET.train.step=1", "PIPELINE.train.transform=[]", "num_workers=0"]
    lasting = [f"{key}={EPOCHS}" for key in ("epochs", "val_interval", "OPTIMIZER.learning_rate.T_max")]
    save_config(load_config(REPOSITORY / path, [*few, *lasting]), tmp_path / path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mine"


def words(line: str) -> list[str]:
    """A command's words as a shell passes them: it expands patterns outside of quotes."""
    found = []
    for word in shlex.split(line):
        is_pattern = "*" in word and f"'{word}'" not in line
        found += sorted(glob.glob(word)) if is_pattern else [word]  # noqa: PTH207 - as the shell does
    return found


def test_the_commands_of_the_page(workplace: Path) -> None:
    lines = [words(line) for line in commands(PAGE)]
    assert [line[1] for line in lines] == [
        "tools/convert_dataset.py", "main.py", "main.py", "tools/export_model.py", "tools/predict.py",
    ]  # fmt: skip
    for python, script, *arguments in lines:
        assert python == "python3"
        run = main.main if script == "main.py" else load_script(script).main
        assert run(arguments) == 0, (script, arguments)
    check_index(workplace)
    numbers = json.loads((workplace / "output" / "test" / "metrics.json").read_text())
    assert {"frame_map@0.5", *(f"AP/{label}" for label in SPEEDS)} <= set(numbers)
    assert (
        numbers["localization_recall"] > 0.4 and numbers["frame_map@0.5"] > 0.05
    )  # of an untrained network both are 0
    report = (workplace / "output" / "test" / "report.html").read_text()
    assert all(word in report for word in (*SPEEDS, "friday_rise", "map@0.5"))
    assert {path.name for path in (workplace / "predictions").iterdir()} == {"new.mp4", "new.jsonl", "new.tubes.json"}
    assert len((workplace / "predictions" / "new.jsonl").read_text().splitlines()) == LENGTH


def check_index(folder: Path) -> None:
    """Check the converted boxes against those that were drawn."""
    assert (folder / "classes.txt").read_text().split() == list(SPEEDS)
    train, test = (read_index(folder / f"{name}.jsonl").videos for name in ("train", "test"))
    assert [video.id for video in test] == [f"friday_{label.lower()}" for label in SPEEDS]
    assert len(train) == 6
    for video in (*train, *test):
        assert (video.num_frames, video.size) == (LENGTH, (HEIGHT, WIDTH))
        assert video.source == folder / "videos" / f"{video.id}.mp4"
        label = next(label for label in SPEEDS if video.id.endswith(label.lower()))
        drawn = [[f + 1, list(SPEEDS).index(label), *corners(label, f)] for f in range(FIRST, LAST + 1)]
        np.testing.assert_allclose(video.boxes, drawn, atol=1e-6)


def block(kind: str) -> str:
    """The first block of a kind on the page."""
    found = re.search(rf"```{kind}\n(.*?)```", (REPOSITORY / PAGE).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_index_of_the_page_is_one(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(block("jsonl"))
    index = read_index(tmp_path / "train.jsonl")
    one, two = index.videos
    assert (index.classes, one.source, one.size) == (("Rise", "Cross"), tmp_path / "videos/monday_one.mp4", (300, 400))
    assert (one.boxes[:, 0].tolist(), len(two.boxes)) == ([5, 6], 0)


def test_the_config_of_the_page_names_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "configs", "configs")
    Path("mine").mkdir()
    Path("mine/classes.txt").write_text("Rise\nCross\n")
    path = Path("configs/localization/mine.yaml")
    path.write_text(block("yaml"))
    config = load_config(path)
    assert list(config.classes) == ["Rise", "Cross"]
    assert [config.DATASET[phase]["index"] for phase in ("train", "test")] == ["mine/train.jsonl", "mine/test.jsonl"]
    assert (config.DATASET["train"]["name"], config.output_dir) == ("ActionDataset", "mine/output")


def test_the_settings_of_the_page_exist(tiny_config: Config, tmp_path: Path) -> None:
    save_config(tiny_config, tmp_path / "config.yaml")
    text = (REPOSITORY / PAGE).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(-o .*?)` \|", text, re.MULTILINE)
    assert len(rows) == 6
    for row in rows:
        load_config(tmp_path / "config.yaml", [word for word in shlex.split(row) if word != "-o"])
