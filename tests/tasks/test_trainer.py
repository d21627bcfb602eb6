from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.config import Config, load_config
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.detection_file import read_detections
from paddlevideo.tasks.evaluation import test as measure
from paddlevideo.tasks.parts import build_dataset, build_model
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils.device import seed_everything


def weights_of(folder: Path, config: Config) -> dict[str, np.ndarray]:
    model = build_model(config)
    load_weights(model, folder / "last.pdparams")
    return {name: value.numpy() for name, value in model.state_dict().items()}


def assert_equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name], err_msg=name)


def run(config: Config, folder: Path, **options: object) -> Path:
    Trainer(dataclasses.replace(config, output_dir=str(folder)), validate=False, **options).fit()  # type: ignore[arg-type]
    return folder


def test_output_folder_holds_all_that_testing_needs(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"best.pdparams", "last.pdparams", "last.pdopt", "config.yaml", "metrics.jsonl", "visualdl"} <= names
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
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
    assert (tmp_path / "earlier" / "best.pdparams").read_bytes() == b"of the earlier run"
    assert (tmp_path / "earlier" / "last.pdparams").read_bytes() == first
    assert not (tmp_path / "best.pdparams").exists()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


def test_resumed_training_equals_uninterrupted_training(tiny_config: Config, tmp_path: Path) -> None:
    whole = weights_of(run(tiny_config, tmp_path / "whole"), tiny_config)
    run(dataclasses.replace(tiny_config, epochs=1), tmp_path / "parts")
    assert_equal(whole, weights_of(run(tiny_config, tmp_path / "parts", resume=True), tiny_config))


def test_resuming_without_a_state_is_named(tiny_config: Config, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"last\.pdparams: no such weight file"):
        run(tiny_config, tmp_path, resume=True)


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


def test_mixed_precision_on_a_cpu_says_that_it_is_float32(
    tiny_config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    logging.getLogger("paddlevideo").setLevel(logging.INFO)
    Trainer(dataclasses.replace(tiny_config, amp_level="O1", output_dir=str(tmp_path)), validate=False)
    assert "not available on a CPU" in caplog.text
