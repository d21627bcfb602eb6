from __future__ import annotations

import json
import shutil
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from paddlevideo.config import load_config
from paddlevideo.engines import ENGINES
from paddlevideo.loader.media.live import StoredStream
from paddlevideo.tasks.exporter import export_weights
from paddlevideo.tasks.parts import build_dataset
from paddlevideo.tasks.predictor import Predictor, read_facts, read_graphs
from paddlevideo.tasks.streaming import StreamOptions, predict_streams


@pytest.fixture(scope="module")
def eager(trained: Path) -> Predictor:
    return Predictor.from_checkpoint(load_config(trained / "config.yaml"), trained / "best.pdparams")


@pytest.fixture(scope="module")
def video(sample_data: Path) -> Path:
    return next((sample_data / "videos").glob("*/*_g2*_c01.mp4"))


def predict(predictor: Predictor, path: Path, folder: Path, **options: Any) -> None:
    predict_streams(predictor, [StoredStream(path)], folder, StreamOptions(**options), threading.Event())


def test_predicting_a_folder_of_frames_equals_testing_it(trained: Path, eager: Predictor, sample_data: Path) -> None:
    dataset = build_dataset(load_config(trained / "config.yaml"), "test", eager.input)
    sample = dataset[len(dataset) // 2]
    folder, _, frame = sample["meta"]["id"].rpartition("/")
    streamed = list(eager.open(StoredStream(sample_data / "rgb-images" / folder)))
    assert [s["meta"]["frame"] for s in streamed] == list(range(1, sample["meta"]["num_frames"] + 1))
    (clip,) = eager.input.unpack([streamed[int(frame) - 1]["inputs"]]).values()
    np.testing.assert_array_equal(clip[0], sample["inputs"]["clip"])


def test_writes_a_video_of_the_source_size_and_a_line_for_every_frame(
    exported: Path, video: Path, tmp_path: Path
) -> None:
    predict(Predictor.from_export(exported), video, tmp_path, threshold=0.0)
    source, written = (cv2.VideoCapture(str(path)) for path in (video, tmp_path / video.name))
    for fact in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT):
        assert written.get(fact) == source.get(fact)
    lines = [json.loads(line) for line in (tmp_path / f"{video.stem}.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(1, int(source.get(cv2.CAP_PROP_FRAME_COUNT)) + 1))
    found = [detection for line in lines for detection in line["detections"]]
    assert found
    assert {detection["label"] for detection in found} <= {"Hop", "Pulse", "Spin", "Sway"}


def test_threshold_holds_for_the_lines(exported: Path, video: Path, tmp_path: Path) -> None:
    predict(Predictor.from_export(exported), video, tmp_path, threshold=1.0)
    lines = [json.loads(line) for line in (tmp_path / f"{video.stem}.jsonl").read_text().splitlines()]
    assert lines
    assert all(line["detections"] == [] for line in lines)


def test_a_video_is_not_overwritten_by_its_answers(exported: Path, video: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(video, tmp_path))
    with pytest.raises(ValueError, match="would take the place of this one"):
        predict(Predictor.from_export(exported), copy, tmp_path, threshold=0.3)
    assert copy.read_bytes() == video.read_bytes()


def test_a_failed_export_leaves_nothing_that_could_be_used(
    trained: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(exported, tmp_path / "out")

    def fail(*_: object) -> None:
        raise RuntimeError("differs")

    monkeypatch.setattr("paddlevideo.tasks.exporter.runnable", fail)
    with pytest.raises(RuntimeError, match="differs"):
        export_weights(load_config(trained / "config.yaml"), trained / "best.pdparams", tmp_path / "out")
    assert not (tmp_path / "out" / "inference.yaml").exists()


def looped(video: Path, path: Path, times: int) -> Path:
    """A video played several times over."""
    capture = cv2.VideoCapture(str(video))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, frames[0].shape[1::-1])
    for _ in range(times):
        for frame in frames:
            writer.write(frame)
    writer.release()
    return path


def test_memory_does_not_grow_with_the_length_of_a_video(eager: Predictor, video: Path, tmp_path: Path) -> None:
    def peak(path: Path) -> int:
        tracemalloc.start()
        for _ in eager.open(StoredStream(path)):
            pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    once, often = peak(looped(video, tmp_path / "a.mp4", 2)), peak(looped(video, tmp_path / "b.mp4", 20))
    assert often < 1.2 * once


def test_a_folder_without_an_export_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"inference\.yaml: no such file; write it with tools/export_model"):
        Predictor.from_export(tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"classes": None}, ValueError, "classes should be a list"),
        ({"outputs": ["boxes", {}, "scores"]}, ValueError, r"outputs\[1\] should be a text, got \{\}"),
        ({"graphs": {"onnx": "model.onnx"}}, ValueError, r"graphs\.onnx should be a mapping, got 'model\.onnx'"),
        ({"graphs": {"onnx": {"files": {"model": "../x"}}}}, ValueError, "a file name in this folder"),
        ({"graphs": {"onnx": {"files": {"model": "gone"}}}}, FileNotFoundError, "gone: no such file"),
        ({"classes": ["Sit"]}, ValueError, r"exported for num_classes 4, what else stands there makes it 1; put it"),
        ({"inputs": {"clip": [3, 9, 64, 64]}}, ValueError, r"exported for inputs .*\[3, 9, 64, 64\]"),
    ],
)
def test_facts_that_cannot_be_are_named(
    exported: Path, tmp_path: Path, change: dict[str, object], error: type[Exception], said: str
) -> None:
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    facts = {**yaml.safe_load((exported / "inference.yaml").read_text()), **change}
    (tmp_path / "inference.yaml").write_text(yaml.safe_dump(facts))
    with pytest.raises(error, match=said):
        Predictor.from_export(tmp_path)


def test_folders_of_the_time_when_there_was_one_format_are_read(exported: Path, tmp_path: Path) -> None:
    facts = yaml.safe_load((exported / "inference.yaml").read_text())
    files = facts.pop("graphs")["paddle"]["files"]
    for name in files.values():
        shutil.copy(exported / name, tmp_path)
    (tmp_path / "inference.yaml").write_text(yaml.safe_dump({**facts, **files}))
    clips = {"clip": np.random.default_rng(0).random((1, 3, 4, 64, 64), np.float32)}
    old, new = (Predictor.from_export(folder, "paddle").network(clips) for folder in (tmp_path, exported))
    for name, value in new.items():
        np.testing.assert_array_equal(old[name], value)


def test_settings_that_were_found_are_read(exported: Path, tmp_path: Path) -> None:
    facts = read_facts(exported)
    facts.graphs["paddle"].settings.onednn = False
    graphs = read_graphs(exported, facts)
    assert graphs["paddle"].settings == {"onednn": False}
    assert graphs["onnx"].settings == {}


def test_outputs_that_are_not_those_of_the_network(exported: Path, tmp_path: Path) -> None:
    for path in exported.iterdir():
        shutil.copy(path, tmp_path)
    facts = yaml.safe_load((tmp_path / "inference.yaml").read_text())
    (tmp_path / "inference.yaml").write_text(yaml.safe_dump({**facts, "outputs": ["boxes"]}))
    with pytest.raises(ValueError, match=r"inference\.yaml names 1 outputs, the network has 3; export the model again"):
        Predictor.from_export(tmp_path)
    (tmp_path / "inference.yaml").write_text(yaml.safe_dump({**facts, "outputs": ["boxes", "x", "y"]}))
    with pytest.raises(KeyError, match=r"DetectionNMS needs the output 'objectness', the network has boxes, x, y"):
        Predictor.from_export(tmp_path).batch({"clip": np.zeros((1, 3, 4, 64, 64), np.float32)}, [{}])


def test_files_that_paddle_would_crash_on_are_named(exported: Path) -> None:
    facts = read_facts(exported)
    facts.graphs["paddle"].files.model = "model.pdiparams"
    graph = read_graphs(exported, facts)["paddle"]
    with pytest.raises(ValueError, match=r"expected the model in a \.json file, got .*model\.pdiparams"):
        ENGINES["paddle"].load(graph, "float32")


@pytest.mark.parametrize(
    ("engine", "file"), [("onnxruntime", "model.onnx"), ("openvino", "model.bin"), ("openvino", "model.xml")]
)
def test_a_damaged_graph_is_named(exported: Path, tmp_path: Path, engine: str, file: str) -> None:
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    data = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(data[: len(data) // 3])
    with pytest.raises(
        ValueError, match=rf"model\.\w+: {engine} cannot load it \(.+\); export the model again"
    ) as told:
        Predictor.from_export(tmp_path, engine)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"threshold": 5.0}, r"threshold should be a score in 0\.\.1, got 5\.0"),
        ({"threshold": float("nan")}, r"threshold should be a score in 0\.\.1, got nan"),
        ({"patience": -1}, "patience should be at least 0 frames, got -1"),
    ],
)
def test_options_that_cannot_be_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StreamOptions(**options)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e30])
def test_an_output_that_is_not_finite_is_named(eager: Predictor, number: float) -> None:
    boxes = np.zeros((2, 3, 4), np.float32)
    boxes[1, 2, 0] = number
    broken = Predictor(lambda _: {"boxes": boxes}, eager.input, eager.postprocess, {}, {}, eager.classes)
    said = r"v/00007, frame 7: output boxes of the network should be finite, got .* at \[2, 0\]; the weights"
    with pytest.raises(ValueError, match=said):
        broken.batch({}, [{"id": "v/00006", "frame": 6}, {"id": "v/00007", "frame": 7}])


def test_a_box_far_outside_of_the_frame_is_kept_as_metrics_count_it(eager: Predictor) -> None:
    decoded = {
        "boxes": np.float32([[[-1e9, 0, 1e9, 1]]]),
        "objectness": np.float32([[0.9]]),
        "probabilities": np.eye(1, 4, dtype=np.float32)[None],
    }
    far = Predictor(lambda _: decoded, eager.input, eager.postprocess, {}, {}, eager.classes)
    (prediction,) = far.batch({}, [{"id": "v/00001", "frame": 1}])
    np.testing.assert_array_equal(prediction["boxes"], decoded["boxes"][0])
