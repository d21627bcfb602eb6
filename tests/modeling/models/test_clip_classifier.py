from __future__ import annotations

import dataclasses

import numpy as np
import paddle
import pytest

from paddlevideo.config import Config, load_config
from paddlevideo.tasks.checkpoint import save_weights, start_from
from paddlevideo.tasks.parts import build_model
from tests.conftest import REPOSITORY


def test_features_are_what_the_head_classifies(motion_config: Config) -> None:
    model = build_model(motion_config)
    model.eval()
    clip = {"clip": paddle.rand([2, 3, 4, 32, 32])}
    features = model.describe(clip)
    assert features.shape == [2, model.backbone.out_channels]
    logits = model.head.fc(features.unsqueeze([2, 3])).flatten(1)
    np.testing.assert_allclose(logits.numpy(), model(clip)["logits"].numpy(), atol=1e-5)
    scores = model.decode(model(clip))["scores"].numpy()
    assert scores.sum(1) == pytest.approx(1)


def test_weights_of_other_classes_keep_those_of_the_same_name(motion_config: Config, tmp_path) -> None:
    from paddlevideo.config import save_config

    save_config(motion_config, tmp_path / "config.yaml")
    model = build_model(motion_config)
    save_weights(model, tmp_path / "w.pdparams")
    classes = ("Up", "Sideways")
    other = build_model(dataclasses.replace(motion_config, classes=classes))
    start_from(other, tmp_path / "w.pdparams", classes)
    np.testing.assert_array_equal(other.head.fc.weight[0].numpy(), model.head.fc.weight[3].numpy())
    np.testing.assert_array_equal(other.backbone.conv1.weight.numpy(), model.backbone.conv1.weight.numpy())


@pytest.mark.parametrize(("name", "frames"), [("tsn", 7), ("tsm", 8)])
def test_published_sizes(name: str, frames: int) -> None:
    config = load_config(
        REPOSITORY / "configs" / "recognition" / f"{name}.yaml",
        [f"classes={REPOSITORY / 'data' / 'kinetics400' / 'classes.txt'}"],
    )
    model = build_model(config)
    trained = sum(value.size for value in model.parameters() if not value.stop_gradient)
    assert trained == 24_327_632  # 24.33 M, of which 23.51 M are the trunk's
    assert model.input.num_frames == frames
