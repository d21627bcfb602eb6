from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.config import Config
from paddlevideo.tasks.averaging import WeightAverage
from paddlevideo.tasks.evaluation import test as measure
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.utils.safe_pickle import load_pickle
from paddlevideo.weights import read_weights


def one_weight(value: float) -> nn.Layer:
    model = nn.Linear(1, 1, bias_attr=False)
    model.weight.set_value(paddle.full([1, 1], value))
    return model


def test_the_average_follows_the_weights() -> None:
    model = one_weight(1.0)
    average = WeightAverage(model, 0.75)
    model.weight.set_value(paddle.full([1, 1], 5.0))
    average.update()
    with average.shown():
        assert model.weight.item() == 0.75 * 1 + 0.25 * 5
        state = average.state_dict()
    assert model.weight.item() == state["weight"].item() == 5.0

    resumed = one_weight(2.0)  # what the file of the checkpoint has
    again = WeightAverage(resumed, 0.75)
    again.set_state_dict(state)
    assert resumed.weight.item() == 5.0
    with again.shown():
        assert resumed.weight.item() == 2.0
    with pytest.raises(ValueError, match="has weights without an average, or the other way round: other"):
        again.set_state_dict({**state, "other": np.zeros(1)})


def test_averaged_training_goes_on_exactly_and_is_what_is_measured(tiny_config: Config, tmp_path: Path) -> None:
    def config(name: str, **changes: object) -> Config:
        return dataclasses.replace(tiny_config, ema=0.5, output_dir=str(tmp_path / name), **changes)  # type: ignore[arg-type]

    numbers = Trainer(config("whole")).fit()
    Trainer(config("parts", max_iters=3)).fit()
    Trainer(config("parts"), resume=True).fit()
    files = [[read_weights(tmp_path / name / "last.pdparams").tensors for name in ("whole", "parts")]]
    states = [load_pickle(tmp_path / name / "last" / "training.pdopt") for name in ("whole", "parts")]
    files.append([state["average"] for state in states])
    for one, two in files:
        for name, value in one.items():
            np.testing.assert_array_equal(value, two[name], err_msg=name)
    averaged, trained = files[0][0], files[1][0]
    assert any((value != trained[name]).any() for name, value in averaged.items())
    assert measure(config("whole"), tmp_path / "whole" / "last.pdparams") == numbers
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["test"] == numbers
