"""What every model of the zoo promises, checked for every config, narrowed where it says how, on small pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from paddlevideo.config import Config, load_config
from paddlevideo.loader.collate import collate
from paddlevideo.loader.datasets.base import prepare
from paddlevideo.modeling.models import VideoModel
from paddlevideo.registry import DATASETS
from paddlevideo.solver import build_optimizer
from paddlevideo.tasks.answers import answers_of, answers_of_config
from paddlevideo.tasks.checkpoint import load_weights, save_weights
from paddlevideo.tasks.exporter import FORMATS, export, probe
from paddlevideo.tasks.parts import build_metrics, build_model, build_pipeline
from paddlevideo.tasks.predictor import eager_network
from paddlevideo.types import Sample, Tensors
from paddlevideo.utils.cpu import use_onednn
from paddlevideo.utils.device import seed_everything
from tests.conftest import REPOSITORY

CONFIGS = sorted((REPOSITORY / "configs").glob("*/*.yaml"))
SMALL = [  # of these every config takes those that it has a number for
    "MODEL.input.size=64",
    "MODEL.backbone.width=0.25",
    "MODEL.backbone.blocks=[1, 1, 1, 1]",
    "MODEL.backbone_2d.width=0.25",
    "MODEL.backbone_3d.blocks=[1, 1, 1, 1]",
    "MODEL.neck.channels=64",
    "MODEL.input.num_snippets=20",
]


def narrowed(path: Path) -> Config:
    """The config of a file, made small."""
    plain = load_config(path).to_dict()

    def stands(key: str) -> bool:
        node: Any = plain
        for part in key.split("."):
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        return True

    return load_config(path, [text for text in SMALL if stands(text.partition("=")[0])])


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda path: path.stem)
def config(request: pytest.FixtureRequest) -> Config:
    return narrowed(request.param)


@pytest.fixture(scope="module")
def model(config: Config) -> VideoModel:
    seed_everything(0)
    model = build_model(config)
    use_onednn(model)
    return model


def batch_of(model: VideoModel, size: int) -> Tensors:
    one = probe(model)
    rng = np.random.default_rng(1)
    return {name: paddle.to_tensor(rng.random((size, *v.shape[1:])).astype(v.dtype)) for name, v in one.items()}


def made_up(config: Config, model: VideoModel, objects: bool) -> list[Sample]:
    """Two samples such as the training data has, with something to find in them or nothing."""
    node = config.DATASET["train"]
    samples: list[Sample] = DATASETS.get(node["name"]).made_up(node, config.classes, model.input, objects)
    return samples


def targets_of(config: Config, model: VideoModel, objects: bool) -> Tensors:
    samples = [{**sample, "inputs": {}} for sample in made_up(config, model, objects)]
    return {name: paddle.to_tensor(value) for name, value in collate(samples)["targets"].items()}


def without_files(config: Config) -> Config:
    """Metrics that do without the files of a dataset, which need not be here."""
    nodes = [{key: v for key, v in node.items() if not str(v).endswith(".json")} for node in config.METRIC]
    return dataclasses.replace(config, METRIC=nodes)


def test_all_parts_of_the_config_can_be_built(config: Config, model: VideoModel) -> None:
    assert build_metrics(without_files(config))[0].primary
    assert answers_of(model.postprocess, config.classes).file_name == answers_of_config(config).file_name
    for phase in ("train", "test"):
        pipeline = build_pipeline(config.PIPELINE[phase], model.input)
        rng = np.random.default_rng(0)
        chance = rng if phase == "train" else None
        for sample in made_up(config, model, objects=True):
            if "sampler" in pipeline:
                count = len(pipeline["sampler"](100, 50, chance))
                sample = {**sample, "frames": rng.integers(0, 256, (count, 24, 32, 3)).astype(np.uint8)}
            sample = prepare(sample, pipeline["transforms"], model.input, chance)
            made, spec = model.input(sample), model.input.spec()
            assert {name: str(value.dtype) for name, value in made.items()} == {
                name: item.dtype for name, item in spec.items()
            }
            for name, value in made.items():  # of another length in training, maybe
                assert value.shape == spec[name].shape or (phase == "train" and value.ndim == len(spec[name].shape))


def test_other_clips_need_the_config_alone(config: Config, model: VideoModel) -> None:
    if "num_frames" not in config.MODEL["input"]:
        return  # it has no clips
    node = {**config.MODEL, "input": {**config.MODEL["input"], "num_frames": 32, "size": [32, 96]}}
    other = build_model(dataclasses.replace(config, MODEL=node))
    other.set_state_dict(model.state_dict())
    sampler = build_pipeline(config.PIPELINE["test"], other.input)["sampler"]
    assert len(sampler(200, 150, None)) == 32
    decoded = eager_network(other)(batch_of(other, 1))
    if other.anchors is not None:
        cells = 1 * 3  # of 32 pixels
        assert decoded["boxes"].shape[1] % cells == 0
    assert all(np.isfinite(value).all() for value in decoded.values())


@pytest.mark.parametrize("objects", [True, False])
def test_every_weight_gets_a_finite_gradient(config: Config, model: VideoModel, objects: bool) -> None:
    model.train()
    losses = model.loss(model(batch_of(model, 2)), targets_of(config, model, objects))
    losses["loss"].backward()
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient:
            assert parameter.grad is not None, name
            gradient = parameter.grad.numpy()
            assert np.isfinite(gradient).all(), name
            assert not objects or np.abs(gradient).max() > 0, name
    model.clear_gradients()


def test_samples_of_a_batch_do_not_touch_each_other(model: VideoModel) -> None:
    both = batch_of(model, 2)
    together = eager_network(model)(both)
    for number in range(2):
        alone = eager_network(model)({name: value[number : number + 1] for name, value in both.items()})
        for name, value in alone.items():
            np.testing.assert_allclose(value[0], together[name][number], atol=1e-4 * np.abs(value).max(), err_msg=name)


def test_weights_survive_a_file(config: Config, model: VideoModel, tmp_path: Path) -> None:
    save_weights(model, tmp_path / "w.pdparams")
    other = build_model(config)
    load_weights(other, tmp_path / "w.pdparams")
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name].numpy(), value.numpy(), err_msg=name)


def test_export_equals_eager(config: Config, model: VideoModel, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    fresh = build_model(config)
    fresh.set_state_dict(model.state_dict())
    is_sample = "_sample" in request.node.name  # one of each network in all formats, which takes long
    export(fresh, config, tmp_path, FORMATS if is_sample else FORMATS[:1])  # it compares, and raises
    assert (tmp_path / "inference.yaml").is_file()


def test_some_steps_on_one_batch_lower_the_loss(config: Config, model: VideoModel) -> None:
    optimizer = build_optimizer({"name": "Adam", "learning_rate": 1e-3}, model)
    inputs, targets = batch_of(model, 2), targets_of(config, model, True)
    model.train()
    values: list[float] = []
    while len(values) < 24 and (not values or values[-1] >= 0.9 * values[0]):
        losses = model.loss(model(inputs), targets)
        losses["loss"].backward()
        optimizer.step()
        optimizer.clear_grad()
        values.append(losses["loss"].item())
    assert values[-1] < 0.9 * values[0], values
