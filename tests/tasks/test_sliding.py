"""A network that keeps its work on frames gives the answers of one that does not, whatever clips come."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
import yaml
from paddle import nn

from paddlevideo.config import Config, load_config
from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone
from paddlevideo.modeling.sliding import Sliding
from paddlevideo.registry import BACKBONES
from paddlevideo.tasks.exporter import FORMATS, export_weights
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Predictor, eager_network, frame_step, read_facts
from paddlevideo.tasks.sliding import SlidingNetwork
from paddlevideo.types import Arrays, FloatArray, InputSpec, Tensors
from tests.conftest import REPOSITORY, load_script

EQUAL = 1e-4  # relative to the largest value
LENGTH, SIZE = 12, 32
NODES: list[dict[str, Any]] = [
    {"name": "ResNeXt3D", "blocks": [1, 1, 1, 1], "cardinality": 2, "width": 0.0625},
    {"name": "ResNet3D", "depth": 18, "width": 0.0625},
    {"name": "MobileNet3D", "width": 0.125},
    {"name": "MobileNet3DV2", "width": 0.125},
    {"name": "ShuffleNet3D", "width": 0.5, "groups": 1},
    {"name": "ShuffleNet3DV2", "width": 0.25, "units": [1, 1, 1]},
]


class Branch(nn.Layer):
    """A backbone alone, which answers with its features and the last frame."""

    def __init__(self, backbone: ClipBackbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, inputs: Tensors) -> Tensors:
        return {"features": self.backbone(inputs["clip"]), "frame": inputs["clip"][:, :, -1]}

    def decode(self, outputs: Tensors) -> Tensors:
        return {name: value for name, value in outputs.items() if name != "maps"}


class Counted:
    """The networks of a backbone with and without reuse, and how many frames were new in each clip."""

    def __init__(self, node: dict[str, Any], keep: int = 1, length: int = LENGTH) -> None:
        paddle.seed(0)
        branch: Any = Branch(ready(BACKBONES.build(node)))
        sliding: Any = Sliding(branch, branch.backbone, lambda features, frame: {"features": features, "frame": frame})
        self.whole, self.run = eager_network(branch), eager_network(sliding)
        self.new: list[int] = []
        self.padding, self.length = sliding.padding, length
        self.network = SlidingNetwork(self.count, sliding.maps_shape(InputSpec((3, length, SIZE, SIZE))), keep)

    def count(self, inputs: Arrays) -> Arrays:
        self.new.append(inputs["tail"].shape[2] - 2 * self.padding)
        return self.run(inputs)

    @property
    def resets(self) -> int:
        return self.new.count(self.length - 2 * self.padding)

    def check(self, clip: FloatArray) -> None:
        assert_equal(self.network({"clip": clip}), self.whole({"clip": clip}))


def ready(network: Any) -> Any:
    """The network with normalisations that do something, such as making zeros of the padding something else."""
    rng = np.random.default_rng(0)
    for name, value in network.state_dict().items():
        if name.endswith(("_mean", "_variance", "bias")):
            value.set_value(rng.uniform(0.5, 1.5, value.shape).astype(np.float32))
    return network


def assert_equal(found: Arrays, expected: Arrays) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=EQUAL * np.abs(value).max(), err_msg=name)


def clips_of(frames: FloatArray, length: int = LENGTH, step: int = 1) -> Iterator[FloatArray]:
    """The clips `[1, 3, length, H, W]` that end at each of the frames `[3, N, H, W]`; the first frame is repeated."""
    for last in range(frames.shape[1]):
        yield frames[None, :, np.maximum(last - step * np.arange(length - 1, -1, -1), 0)]


def video(count: int, seed: int = 0, size: int = SIZE) -> FloatArray:
    return np.random.default_rng(seed).random((3, count, size, size), np.float32)


def test_every_3d_backbone_offers_it() -> None:
    offering = {name for name in BACKBONES if issubclass(BACKBONES.get(name), ClipBackbone)}
    assert offering == {node["name"] for node in NODES} == {name for name in BACKBONES if "3D" in name}


@pytest.mark.parametrize("node", NODES, ids=lambda node: node["name"])
def test_a_stream_from_its_beginning(node: dict[str, Any]) -> None:
    counted = Counted(node, length=16)
    for clip in clips_of(video(20), 16):
        counted.check(clip)
    assert counted.new == [16 - 2 * counted.padding, *[1] * 19]


@pytest.mark.parametrize("moved", [2, 3])
def test_clips_that_move_on_by_some_frames(moved: int) -> None:
    counted = Counted(NODES[0])  # 6 of 12 outputs of the stem are inside
    for clip in list(clips_of(video(30)))[::moved]:
        counted.check(clip)
    assert counted.new == [6, *[moved] * (len(counted.new) - 1)]


def test_clips_that_move_on_by_more_are_computed_as_a_whole() -> None:
    counted = Counted(NODES[0])
    for clip in list(clips_of(video(30)))[::4]:
        counted.check(clip)
    assert counted.new == [6] * 8


@pytest.mark.parametrize("step", [2, 3])
def test_clips_of_every_nth_frame_take_turns(step: int) -> None:
    counted = Counted(NODES[0], keep=step)
    for clip in clips_of(video(20), step=step):
        counted.check(clip)
    assert counted.resets == step
    assert counted.new.count(1) == 20 - step


def test_another_stream_a_jump_and_a_return_start_anew() -> None:
    counted = Counted(NODES[0])
    first, second = list(clips_of(video(20))), list(clips_of(video(20, seed=1)))
    for clip in (*first[:9], *second[:9], *second[5:7], *first[9:11], first[19]):
        counted.check(clip)
    assert counted.resets == 5  # two beginnings, back in the second, back to the first, a jump in it
    assert counted.new.count(1) == len(counted.new) - 5


def test_batches_of_several_streams_keep_their_states_apart() -> None:
    counted = Counted(NODES[0], keep=3)
    streams = [list(clips_of(video(8, seed))) for seed in range(3)]
    for clips in zip(*streams, strict=True):
        counted.check(np.concatenate(clips))
    assert counted.resets == 3
    assert counted.new.count(1) == 3 * 7


def test_the_clip_not_met_for_longest_is_forgotten() -> None:
    counted = Counted(NODES[0], keep=2)
    one, two, three = (list(clips_of(video(3, seed))) for seed in range(3))
    for clip in (one[0], two[0], one[1], three[0], one[2], three[1]):
        counted.check(clip)
    assert counted.resets == 3
    counted.check(two[1])
    assert counted.resets == 4


def test_a_frame_that_differs_anywhere_is_a_new_frame() -> None:
    counted = Counted(NODES[0])
    first, second = list(clips_of(video(20)))[-2:]
    counted.check(first)
    changed = second.copy()
    changed[0, 2, 5, -1, -1] += 1e-3
    counted.check(changed)
    assert counted.resets == 2


def test_changing_a_clip_afterwards_changes_nothing() -> None:
    counted = Counted(NODES[0])
    for clip in clips_of(video(20)):
        counted.check(clip)
        clip[:] = -1
    assert counted.resets == 1


def test_what_is_kept_does_not_grow() -> None:
    counted = Counted(NODES[0], keep=2)
    sizes = []
    for clip in clips_of(video(40), step=2):
        counted.network({"clip": clip})
        sizes.append(sum(a.nbytes for known in counted.network.known for a in (*known.frames, *known.maps)))
    assert 0 < sizes[0] < sizes[2] == sizes[-1]


# From weights to the command


@pytest.fixture(scope="module")
def config(tiny_overrides: list[str]) -> Config:
    path = REPOSITORY / "configs" / "localization" / "yowo_sample.yaml"
    return load_config(path, [*tiny_overrides, f"MODEL.input.num_frames={LENGTH}"])


@pytest.fixture(scope="module")
def weights(trained: Path) -> Path:
    """Those of shorter clips, which fit all lengths."""
    return trained / "best.pdparams"


@pytest.fixture(scope="module")
def long_exported(config: Config, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_weights(config, weights, tmp_path_factory.mktemp("exported"), FORMATS, 2)


@pytest.fixture(scope="module")
def clip_file(sample_data: Path) -> Path:
    return next((sample_data / "videos").glob("*/*_g2*_c01.mp4"))


@pytest.mark.parametrize(("step", "every"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_an_engine_answers_as_without(
    long_exported: Path, config: Config, weights: Path, engine: str, step: int, every: int
) -> None:
    reusing = Predictor.from_export(long_exported, engine, threads=1, reuse=step).network
    assert isinstance(reusing, SlidingNetwork)
    whole = Predictor.from_checkpoint(config, weights).network
    for clip in list(clips_of(video(20, size=64), step=step))[::every]:
        assert_equal(reusing({"clip": clip}), whole({"clip": clip}))
    assert len(reusing.known) == step


def test_a_precision_without_a_graph_for_it_runs_the_whole_network(long_exported: Path) -> None:
    facts = read_facts(long_exported).reuse
    assert facts is not None
    assert set(facts.graphs) == {"onnx", "openvino"}  # Paddle's own engine crashes on some, and is never asked
    for engine, precision in (("paddle", "float32"), ("openvino", "int8")):
        predictor = Predictor.from_export(long_exported, engine, precision, threads=1, reuse=1)
        assert not isinstance(predictor.network, SlidingNetwork)


def test_an_export_that_answers_otherwise_is_refused(
    config: Config, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SlidingNetwork._answer
    monkeypatch.setattr(SlidingNetwork, "_answer", lambda self, clip: answer(self, clip[:, ::-1]))
    with pytest.raises(RuntimeError, match=r"differs from eager by .* relative \(onnxruntime, reuse\)"):
        export_weights(config, weights, tmp_path, ["onnx"])
    assert not (tmp_path / "inference.yaml").exists()


def test_clips_without_anything_in_common_are_answered_without(exported: Path) -> None:
    assert read_facts(exported).reuse is None  # of 4 frames, fewer than the kernel has
    assert not (exported / "reuse").exists()
    assert not isinstance(Predictor.from_export(exported, reuse=1).network, SlidingNetwork)


def test_the_command_writes_the_same_predictions(long_exported: Path, clip_file: Path, tmp_path: Path) -> None:
    written = {}
    for options in ([], ["--no_reuse"]):
        folder = tmp_path / f"with{len(options)}"
        arguments = ["-m", str(long_exported), "-i", str(clip_file), "-o", str(folder), "--threshold", "0"]
        assert load_script("tools/predict.py").main([*arguments, *options]) == 0
        lines = (folder / f"{clip_file.stem}.jsonl").read_text().splitlines()
        written[len(options)] = [[found["score"] for found in json.loads(line)["detections"]] for line in lines]
    assert any(written[1])
    for found, expected in zip(written[0], written[1], strict=True):
        assert found == pytest.approx(expected, abs=2 * EQUAL)  # they are rounded to four places


def change(folder: Path, target: Path, edit: Any) -> Path:
    shutil.copytree(folder, target, dirs_exist_ok=True)
    facts = yaml.safe_load((target / "inference.yaml").read_text())
    edit(facts)
    (target / "inference.yaml").write_text(yaml.safe_dump(facts))
    return target


def test_folders_without_a_word_about_reuse_can_be_read(long_exported: Path, tmp_path: Path) -> None:
    older = change(long_exported, tmp_path, lambda facts: facts.pop("reuse"))
    assert not isinstance(Predictor.from_export(older, reuse=1).network, SlidingNetwork)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda facts: facts.update(reuse=[]), r"reuse should be a mapping or null, got \[\]"),
        (lambda facts: facts["reuse"].pop("maps"), "reuse lacks the key maps"),
        (lambda facts: facts["reuse"].update(maps=[4, 7, 0, 16]), r"reuse\.maps\[2\] should be an integer >= 1, got 0"),
        (lambda facts: facts["reuse"].update(outputs=["boxes"]), r"reuse\.outputs should have maps among them"),
        (
            lambda facts: facts["reuse"]["graphs"].update(onnx=None),
            r"reuse\.graphs\.onnx should be a mapping, got null",
        ),
    ],
)
def test_facts_that_cannot_be_are_named(long_exported: Path, tmp_path: Path, edit: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Predictor.from_export(change(long_exported, tmp_path, edit), reuse=1)


@pytest.mark.parametrize("steps", [1, 3])
def test_as_many_clips_are_kept_as_there_are_steps_between_frames(config: Config, steps: int) -> None:
    pipeline = {**config.PIPELINE["test"], "sample": {**config.PIPELINE["test"]["sample"], "strides": [steps]}}
    assert frame_step(pipeline, build_model(config).input) == steps
