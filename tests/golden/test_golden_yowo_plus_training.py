"""Training steps of YOWO-Nano in float64 against the published implementation: losses, gradients, steps and buffers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
import pytest

from paddlevideo.modeling.models import YOWOPlus
from paddlevideo.registry import MODELS
from paddlevideo.solver import build_optimizer
from paddlevideo.types import Tensors
from tests.conftest import golden_arrays, golden_names
from tests.golden import plus_weights
from tests.golden.test_golden_yowo_plus_forward import load_node

MOMENTUM = 0.9  # of running statistics


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype("float32")


def build(case: dict[str, Any]) -> YOWOPlus:
    node = load_node("yowo_nano")
    classes = node.pop("classes")
    node["neck"] = {**node["neck"], "dropout": 0.0}
    node["input"] = {**node["input"], "size": case["img"]}
    model: YOWOPlus = MODELS.build(node, classes=classes)
    prior = model.head.conv.bias.numpy()[: 5 * (1 + len(classes))]
    plus_weights.load_weights(model)
    bias = model.head.conv.bias.numpy()
    bias[: len(prior)] = prior
    model.head.conv.bias.set_value(bias)
    return model


def optimizer_of(case: dict[str, Any], model: YOWOPlus) -> Any:
    schedule = {"name": "MultiStepDecay", "learning_rate": case["base_lr"], "milestones": [1000], "gamma": 0.5}
    if case["warmup_iters"]:
        warmup = {"iterations": case["warmup_iters"], "factor": case["warmup_factor"]}
        schedule = {"name": "LinearWarmup", "then": schedule, **warmup}
    node = {"name": "AdamW", "learning_rate": schedule, "weight_decay": case["weight_decay"]}
    return build_optimizer(node, model)


def targets_of(golden: Any, iteration: int) -> Tensors:
    boxes, labels, counts = (golden[f"tgt_{name}/{iteration}"] for name in ("boxes", "labels", "counts"))
    rows = max(1, counts.max())
    padded = np.zeros((len(counts), rows, 4), np.float32), np.full((len(counts), rows), -1, np.int64)
    starts = np.concatenate([[0], counts.cumsum()])
    for number, count in enumerate(counts):
        for table, values in zip(padded, (boxes, labels), strict=True):
            table[number, :count] = values[starts[number] : starts[number + 1]]
    return {"boxes": paddle.to_tensor(padded[0]), "labels": paddle.to_tensor(padded[1])}


def norms(arrays: dict[str, npt.NDArray[np.float64] | None], order: list[str]) -> list[float]:
    return [0.0 if arrays[name] is None else float(np.linalg.norm(arrays[name].ravel())) for name in order]


def training_runs(index: Path) -> list[str]:
    cases = json.loads(index.read_text())["cases"]
    return [name.removesuffix(".npz") for name in cases if name.startswith("train_")]


@pytest.mark.parametrize("run", golden_names("yowo_plus/index.json", training_runs))
def test_training(run: str) -> None:
    golden = golden_arrays(f"yowo_plus/{run}.npz")
    case = plus_weights.index()["cases"][f"{run}.npz"]
    order, dead = case["param_names"], set(case["dead_params"])
    live = np.array([name not in dead for name in order])
    model = build(case)
    optimizer = optimizer_of(case, model)
    parameters = {plus_weights.their_name(n): p for n, p in model.named_parameters() if not p.stop_gradient}
    assert sorted(parameters) == sorted(order)
    start = {name: value.numpy().copy() for name, value in parameters.items()}
    model.train()
    for iteration in range(case["steps"]):
        clip = plus_weights.clip(
            case["input_rng_name"].replace("<iteration>", str(iteration)), tuple(case["input_shape"])
        )
        optimizer._learning_rate.start_iteration(iteration)
        assert optimizer.get_lr() == pytest.approx(float(golden["lr"][iteration]), rel=1e-6)
        outputs = model({"clip": paddle.to_tensor(clip.astype(np.float64))})
        losses = model.loss(outputs, targets_of(golden, iteration))
        ours = [losses[name].item() for name in ("confidence", "class", "box", "loss")]
        np.testing.assert_allclose(ours, golden["f64/stat_losses"][iteration], rtol=1e-5, err_msg=f"losses {iteration}")
        (losses["loss"] / case["accumulate"]).backward()
        gradients = {name: None if p.grad is None else p.grad.numpy() for name, p in parameters.items()}
        expected = golden["f64/stat_grad_norm"][iteration]
        np.testing.assert_allclose(np.array(norms(gradients, order))[live], expected[live], rtol=1e-5, atol=1e-9)
        if golden["stepped"][iteration]:
            optimizer.step()
            optimizer.clear_grad()
        delta = {name: value.numpy() - start[name] for name, value in parameters.items()}
        expected = golden["f64/stat_delta_norm"][iteration]
        np.testing.assert_allclose(np.array(norms(delta, order))[live], expected[live], rtol=1e-4, atol=1e-12)
        for name, value in parameters.items():
            if f"f64/param/{name}" in golden and name not in dead:
                probe = golden[f"f64/param/{name}"][iteration]
                part = value.numpy()[tuple(slice(length) for length in probe.shape)]
                np.testing.assert_allclose(part, probe, atol=3e-6, err_msg=name)
    check_end(model, golden, case)


def check_end(model: YOWOPlus, golden: Any, case: dict[str, Any]) -> None:
    """Running statistics, and what the trained network answers with those of the reference."""
    number, forwards = plus_weights.seed(), case["steps"]
    sizes = elements(model, case)
    buffers = {name: value for name, value in model.named_parameters() if name.endswith(("._mean", "._variance"))}
    assert buffers
    for name, buffer in buffers.items():
        theirs = plus_weights.their_name(name)
        value = buffer.numpy()
        if theirs.endswith("running_var"):  # Paddle keeps the biased variance
            count = sizes[name.rpartition(".")[0]]
            begin = MOMENTUM**forwards * plus_weights.weight(theirs, value.shape, number)
            value = begin + (value - begin) * count / (count - 1)
            buffer.set_value(value)
        if f"f64/buffer/{theirs}" in golden:
            expected = golden[f"f64/buffer/{theirs}"]
            np.testing.assert_allclose(value[: len(expected)], expected, rtol=1e-5, atol=1e-6, err_msg=theirs)
    model.eval()
    clip = plus_weights.clip(case["eval_input_rng_name"], tuple(case["eval_input_shape"]))
    with paddle.no_grad():
        raw = model({"clip": paddle.to_tensor(clip.astype(np.float64))})["raw"].numpy()
    expected = golden["f64/pred_eval_after"]
    np.testing.assert_allclose(raw, expected, atol=1e-4 * np.abs(expected).max())


def elements(model: YOWOPlus, case: dict[str, Any]) -> dict[str, int]:
    """Values a channel that each normalisation sees in a training batch."""
    found: dict[str, int] = {}
    hooks = []
    for name, layer in model.named_sublayers():
        if isinstance(layer, (paddle.nn.BatchNorm2D, paddle.nn.BatchNorm3D)):
            hooks.append(
                layer.register_forward_post_hook(
                    lambda _, __, out, name=name: found.update({name: out.size // out.shape[1]})
                )
            )
    model.eval()
    with paddle.no_grad():
        model({"clip": paddle.zeros(case["input_shape"])})
    for hook in hooks:
        hook.remove()
    return found
