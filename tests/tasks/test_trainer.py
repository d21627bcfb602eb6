from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.config import Config, load_config
from paddlevideo.tasks import trainer as trainer_module
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.checkpoint_store import checkpoints_in
from paddlevideo.tasks.detection_file import read_detections
from paddlevideo.tasks.evaluation import test as measure
from paddlevideo.tasks.parts import build_dataset, build_model
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils.device import seed_everything
from paddlevideo.utils.safe_pickle import load_pickle
from paddlevideo.utils.signals import StoppedError
from paddlevideo.weights import read_weights


@pytest.fixture(scope="module", autouse=True)
def eager_convolutions() -> Iterator[None]:
    """Each of the many trainers here would convert its network for seconds; killed runs are tested with that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module, "use_onednn", lambda network: None)
        yield


def weights_of(folder: Path, config: Config) -> dict[str, np.ndarray]:
    model = build_model(config)
    load_weights(model, folder / "last.pdparams")
    return {name: value.numpy() for name, value in model.state_dict().items()}


def assert_equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name], err_msg=name)


def lines_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def epochs_in(folder: Path) -> list[dict[str, Any]]:
    return [line for line in lines_in(folder) if "train" in line]


def run(config: Config, folder: Path, **options: object) -> Path:
    Trainer(dataclasses.replace(config, output_dir=str(folder)), validate=False, **options).fit()  # type: ignore[arg-type]
    return folder


def test_output_folder_holds_all_that_testing_needs(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"best.pdparams", "last.pdparams", "checkpoints", "config.yaml", "metrics.jsonl", "visualdl"} <= names
    lines = epochs_in(trained)
    assert [line["epoch"] for line in lines] == [1, 2]
    assert lines[1]["train"]["loss"] < lines[0]["train"]["loss"]
    numbers = measure(load_config(trained / "config.yaml"), trained / "best.pdparams")
    assert numbers["frame_map@0.5"] == max(line["test"]["frame_map@0.5"] for line in lines)
    assert json.loads((trained / "test" / "metrics.json").read_text()) == numbers
    samples = read_detections(trained / "test" / "detections.jsonl").samples
    config = load_config(trained / "config.yaml")
    assert len(samples) == len(build_dataset(config, "test", build_model(config).input))


def test_runs_with_one_seed_are_equal_whatever_the_workers(tiny_config: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, max_iters=3)
    alone = weights_of(run(config, tmp_path / "a"), config)
    assert_equal(alone, weights_of(run(dataclasses.replace(config, num_workers=2), tmp_path / "b"), config))
    other = weights_of(run(dataclasses.replace(config, seed=1), tmp_path / "c"), config)
    assert any((value != other[name]).any() for name, value in alone.items())


def test_a_new_run_puts_the_files_of_an_earlier_one_aside(tiny_config: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, max_iters=1, epochs=1)
    run(config, tmp_path)
    (tmp_path / "best.pdparams").write_bytes(b"of the earlier run")
    first = (tmp_path / "last.pdparams").read_bytes()
    run(dataclasses.replace(config, seed=4_000_000_000), tmp_path)
    earlier = tmp_path / "earlier"
    assert (earlier / "1" / "best.pdparams").read_bytes() == b"of the earlier run"
    assert (earlier / "1" / "last.pdparams").read_bytes() == first
    assert not (tmp_path / "best.pdparams").exists()
    assert len(epochs_in(tmp_path)) == 1
    second = (tmp_path / "last.pdparams").read_bytes()
    run(config, tmp_path)
    assert (earlier / "1" / "last.pdparams").read_bytes() == first
    assert (earlier / "2" / "last.pdparams").read_bytes() == second
    assert (earlier / "1" / "metrics.jsonl").is_file()
    assert (earlier / "2" / "metrics.jsonl").is_file()


@pytest.fixture(scope="module")
def grouped(tiny_config: Config) -> Config:
    """Two epochs of four batches, which move the weights in pairs."""
    return dataclasses.replace(tiny_config, accumulation=2, log_interval=1)


@pytest.fixture(scope="module")
def whole(grouped: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    Trainer(dataclasses.replace(grouped, output_dir=str(folder))).fit()
    return folder


def go_on(grouped: Config, folder: Path) -> None:
    Trainer(dataclasses.replace(grouped, output_dir=str(folder)), resume=True).fit()


def assert_same_run(whole: Path, parts: Path, config: Config) -> None:
    assert_equal(weights_of(whole, config), weights_of(parts, config))
    assert_equal(*(read_weights(folder / "best.pdparams").tensors for folder in (whole, parts)))
    states = [load_pickle(folder / "last" / "training.pdopt") for folder in (whole, parts)]
    assert_equal(*(state["optimizer"]["arrays"] for state in states))
    assert states[0]["progress"] == states[1]["progress"]
    assert (whole / "metrics.jsonl").read_bytes() == (parts / "metrics.jsonl").read_bytes()


def place_of(folder: Path) -> tuple[int, int]:
    """Epochs and batches of the next one that a run has done."""
    progress = load_pickle(folder / "last" / "training.pdopt")["progress"]
    return progress["epoch"], progress["batch"]


@pytest.mark.parametrize(("batches", "place"), [(1, (0, 1)), (2, (0, 2)), (4, (1, 0))])
def test_resumed_training_equals_uninterrupted_training(
    grouped: Config, whole: Path, tmp_path: Path, batches: int, place: tuple[int, int]
) -> None:
    Trainer(dataclasses.replace(grouped, max_iters=batches, output_dir=str(tmp_path))).fit()
    assert place_of(tmp_path) == place
    go_on(grouped, tmp_path)
    assert_same_run(whole, tmp_path, grouped)


class SignalAt:
    """A method that sends this process a signal when it is called for the n-th time."""

    def __init__(self, trainer: Trainer, method: str, call: int, number: int) -> None:
        self.inner, self.left, self.number = getattr(trainer, method), call, number
        setattr(trainer, method, self)

    def __call__(self, *arguments: object) -> object:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)
        return self.inner(*arguments)


@pytest.mark.parametrize(
    ("method", "number", "place"), [("train_step", signal.SIGTERM, (0, 3)), ("_predict", signal.SIGINT, (0, 4))]
)
def test_a_signal_saves_and_stops(
    grouped: Config, whole: Path, tmp_path: Path, method: str, number: int, place: tuple[int, int]
) -> None:
    trainer = Trainer(dataclasses.replace(grouped, output_dir=str(tmp_path)))
    SignalAt(trainer, method, 3, number)
    with pytest.raises(StoppedError) as stopped:
        trainer.fit()
    assert stopped.value.code == 128 + number
    assert place_of(tmp_path) == place
    go_on(grouped, tmp_path)
    assert_same_run(whole, tmp_path, grouped)


def test_a_cut_run_is_measured_and_its_epoch_is_not_over(tiny_config: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, max_iters=1, output_dir=str(tmp_path))
    numbers = Trainer(config).fit()
    assert epochs_in(tmp_path)[-1]["test"] == numbers
    assert (tmp_path / "best.pdparams").is_file()
    resumed = Trainer(dataclasses.replace(config, max_iters=None), resume=True)
    assert (resumed.progress.epoch, resumed.progress.batch, resumed.progress.best) == (0, 1, None)
    assert (tmp_path / "best.pdparams").is_file()  # until there is another one


def test_checkpoints_come_by_epochs_and_by_minutes(tiny_config: Config, tmp_path: Path) -> None:
    rare = dataclasses.replace(tiny_config, epochs=3, save_interval=2, keep=9)
    names = [path.name for path in checkpoints_in(run(rare, tmp_path / "a") / "checkpoints")]
    assert names == ["00003-00000012", "00002-00000008"]
    often = dataclasses.replace(tiny_config, epochs=1, save_minutes=0, keep=3)
    names = [path.name for path in checkpoints_in(run(often, tmp_path / "b") / "checkpoints")]
    assert names == ["00001-00000004", "00000-00000004", "00000-00000003"]


def test_a_resumed_run_says_what_is_not_as_it_was(
    tiny_config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    run(dataclasses.replace(tiny_config, max_iters=1), tmp_path)
    run(dataclasses.replace(tiny_config, max_iters=1, seed=3), tmp_path, resume=True)
    assert "config.seed: was 0, is 3" in caplog.text
    assert "config.max_iters" not in caplog.text
    caplog.clear()
    classes = tuple(reversed(tiny_config.classes))
    with pytest.raises(ValueError, match="are not the config's"):
        measure(dataclasses.replace(tiny_config, classes=classes, output_dir=str(tmp_path)), tmp_path / "last.pdparams")
    assert "config.classes: was " in caplog.text
    assert "data.test: was " in caplog.text
    assert "data.train" not in caplog.text


def test_resuming_without_a_checkpoint_of_the_run_is_named(tiny_config: Config, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone/checkpoint\.json: no such file, so this is no checkpoint"):
        run(tiny_config, tmp_path, resume=tmp_path / "gone")
    other = run(dataclasses.replace(tiny_config, max_iters=1), tmp_path / "other")
    with pytest.raises(
        ValueError, match=r"other/last: expected one of .*mine/checkpoints, as a run goes on in its own"
    ):
        run(tiny_config, tmp_path / "mine", resume=other / "last")


def gradients(config: Config, batch_size: int) -> list[np.ndarray]:
    """What the optimizer sees at its first step."""
    seen: list[np.ndarray] = []
    trainer = Trainer(dataclasses.replace(config, batch_size=batch_size), validate=False)
    for layer in trainer.model.sublayers():
        if isinstance(layer, (nn.BatchNorm2D, nn.BatchNorm3D, nn.Dropout2D)):
            layer.eval()  # no batch statistics and no dropout, so that batches are sums of their samples
    batches = list(trainer.loader)
    number = 4 // batch_size
    for i in range(number):
        trainer.train_step(batches[i], number, False)
    for parameter in trainer.model.parameters():
        if parameter.grad is not None:
            seen.append(parameter.grad.numpy())
    return seen


@pytest.mark.parametrize(("reduction", "factor"), [("sum", 1.0), ("mean", 0.25)])
def test_accumulated_gradients(tiny_config: Config, tmp_path: Path, reduction: str, factor: float) -> None:
    config = dataclasses.replace(tiny_config, output_dir=str(tmp_path), accumulation_reduction=reduction)  # type: ignore[arg-type]
    at_once, in_parts = gradients(config, 4), gradients(config, 1)
    largest = max(np.abs(value).max() for value in at_once)
    for whole, summed in zip(at_once, in_parts, strict=True):
        np.testing.assert_allclose(summed, whole * factor, atol=1e-4 * largest)


def test_last_incomplete_group_still_moves_the_weights(tiny_config: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, accumulation=1000, epochs=1)
    seed_everything(config.seed)
    before = build_model(config)  # as the trainer builds it
    after = weights_of(run(config, tmp_path), config)
    for name, parameter in before.named_parameters():
        if not parameter.stop_gradient:  # running statistics change without a step
            assert (parameter.numpy() != after[name]).any(), name


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_weights(tiny_config: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, epochs=1)
    run(config, tmp_path)
    good = (tmp_path / "last.pdparams").read_bytes()
    trainer = Trainer(dataclasses.replace(config, epochs=2, output_dir=str(tmp_path)), validate=False, resume=True)
    weight = trainer.model.head.conv.weight
    weight.set_value(paddle.full(weight.shape, float("nan")))
    with pytest.raises(FloatingPointError, match=r"epoch 2: loss nan, x nan.*samples: \w+/v_\w+/\d{5}"):
        trainer.fit()
    assert (tmp_path / "last.pdparams").read_bytes() == good


def test_weights_that_are_not_finite_take_no_place_of_others(tiny_config: Config, tmp_path: Path) -> None:
    momentum = {"name": "Momentum", "learning_rate": 1e-6}
    config = dataclasses.replace(tiny_config, epochs=1, keep=1, OPTIMIZER=momentum)
    run(config, tmp_path)
    good = (tmp_path / "last.pdparams").read_bytes()
    wild = {**momentum, "learning_rate": 1e38}
    wild_config = dataclasses.replace(config, epochs=2, OPTIMIZER=wild, max_iters=5)  # one batch more than one epoch
    assert checkpoints_in(tmp_path / "checkpoints")[0].name == "00001-00000004"
    said = r"not finite after 5 batches, so this is not saved\. The last checkpoint is .*00001-00000004; lower"
    with pytest.raises(FloatingPointError, match=said):
        run(wild_config, tmp_path, resume=True)
    assert (tmp_path / "last.pdparams").read_bytes() == good
    with pytest.raises(FloatingPointError, match="There is no checkpoint yet; lower"):
        run(dataclasses.replace(wild_config, max_iters=1), tmp_path / "new")


def test_a_run_without_a_test_set(tiny_config: Config, tmp_path: Path) -> None:
    dataset = {**tiny_config.DATASET, "test": None}
    assert lines_in(run(dataclasses.replace(tiny_config, DATASET=dataset, max_iters=1), tmp_path))


def test_what_a_user_s_files_are_run_with_is_looked_at_first(tiny_config: Config, tmp_path: Path) -> None:
    wrong = dataclasses.replace(tiny_config, INFERENCE={**tiny_config.INFERENCE, "treshold": 0.3})
    with pytest.raises(TypeError, match="has no argument 'treshold'"):
        run(wrong, tmp_path)


def test_resuming_says_if_there_is_nothing_to_do(
    tiny_config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    logging.getLogger("paddlevideo").setLevel(logging.INFO)
    config = dataclasses.replace(tiny_config, max_iters=1)
    with pytest.raises(ValueError, match="there is no run to go on with; leave out --resume"):
        run(config, tmp_path, resume=True)
    run(config, tmp_path)
    assert "this run is complete" not in caplog.text
    run(config, tmp_path, resume=True)
    assert "this run is complete; raise epochs or max_iters" in caplog.text


def test_mixed_precision_on_a_cpu_says_that_it_is_float32(
    tiny_config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    logging.getLogger("paddlevideo").setLevel(logging.INFO)
    Trainer(dataclasses.replace(tiny_config, amp={"level": "O2"}, output_dir=str(tmp_path)), validate=False)
    assert "not available on a CPU" in caplog.text


def test_frozen_parts_groups_and_clipping_train_and_resume_exactly(tiny_config: Config, tmp_path: Path) -> None:
    choices = {
        "groups": [{"match": "backbone_3d", "learning_rate": 0.1, "weight_decay": 0.0}],
        "freeze": ["backbone_2d", "*.project.bias"],
        "clip": {"name": "GlobalNorm", "clip_norm": 1.0},
    }
    config = dataclasses.replace(tiny_config, OPTIMIZER={**tiny_config.OPTIMIZER, **choices}, max_iters=3)
    seed_everything(config.seed)
    before = {name: value.numpy() for name, value in build_model(config).state_dict().items()}
    whole = weights_of(run(config, tmp_path / "whole"), config)
    stayed = {name for name, value in whole.items() if (value == before[name]).all()}
    assert stayed == {name for name in whole if name.startswith("backbone_2d.")} | {"neck.project.bias"}
    run(dataclasses.replace(config, max_iters=1), tmp_path / "parts")
    assert_equal(whole, weights_of(run(config, tmp_path / "parts", resume=True), config))


def test_gradients_are_clipped_before_the_weights_move(tiny_config: Config, tmp_path: Path) -> None:
    plain = {"name": "Momentum", "learning_rate": 1.0, "momentum": 0.0}
    optimizer = {**plain, "clip": {"name": "GlobalNorm", "clip_norm": 0.01}}
    config = dataclasses.replace(tiny_config, OPTIMIZER=optimizer, max_iters=1, output_dir=str(tmp_path))
    trainer = Trainer(config, validate=False)
    trainable = [parameter for parameter in trainer.model.parameters() if not parameter.stop_gradient]
    before = [parameter.numpy() for parameter in trainable]
    trainer.fit()
    moved = [parameter.numpy() - value for parameter, value in zip(trainable, before, strict=True)]
    assert np.sqrt(sum((change**2).sum() for change in moved)) == pytest.approx(0.01, rel=1e-2)


def test_an_epoch_is_saved_before_a_damaged_test_set_ends_the_run(
    tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("b.mp4: frame 3 of 9 cannot be decoded")

    config = dataclasses.replace(tiny_config, epochs=1, output_dir=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module, "evaluate", fail)
        with pytest.raises(ValueError, match=r"b\.mp4: frame 3"):
            Trainer(config).fit()
    (saved,) = checkpoints_in(tmp_path / "checkpoints")
    trainer = Trainer(config, resume=True)
    batches = trainer.progress.iterations
    assert trainer.fit()
    assert (trainer.progress.iterations, trainer.progress.epoch) == (batches, 1)
    assert saved
    assert (tmp_path / "best.pdparams").is_file()


def test_a_folder_that_is_removed_ends_the_run_before_the_next_checkpoint(tiny_config: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config, output_dir=str(tmp_path / "output"), log_interval=1)
    trainer = Trainer(config, validate=False)
    step = trainer.train_step

    def step_and_remove(*arguments: Any) -> dict[str, float]:
        shutil.rmtree(tmp_path / "output")
        return step(*arguments)

    trainer.train_step = step_and_remove  # type: ignore[method-assign]
    message = r"output: this folder, .* was removed .*; no checkpoint was the last one saved there"
    with pytest.raises(FileNotFoundError, match=message):
        trainer.fit()
    assert trainer.progress.iterations == 1
