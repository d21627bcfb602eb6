from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle

from paddlevideo.config import load_config
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.parts import build_model
from paddlevideo.weights import read_weights
from tests.conftest import REPOSITORY

SHAPES = {  # of PaddleVideo's network
    "b_conv1": (256, 100, 3),
    "b_conv2": (256, 64, 3),
    "ts_conv1": (256, 64, 3),
    "ts_conv2": (1, 256, 1),
    "te_conv1": (256, 64, 3),
    "te_conv2": (1, 256, 1),
    "p_conv1": (128, 256, 3),
    "p_conv3d1": (512, 128, 32, 1, 1),
    "p_conv2d1": (128, 512, 1, 1),
    "p_conv2d2": (128, 128, 3, 3),
    "p_conv2d3": (128, 128, 3, 3),
    "p_conv2d4": (2, 128, 1, 1),
}


def test_weights_of_paddlevideo_fill_the_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    theirs = {
        f"{name}.{kind}": rng.normal(size=shape if kind == "weight" else shape[:1]).astype(np.float32)
        for name, shape in SHAPES.items()
        for kind in ("weight", "bias")
    }
    paddle.save(theirs, str(tmp_path / "BMN.pdparams"))
    assert read_weights(tmp_path / "BMN.pdparams").source == "BMN of PaddleVideo"
    model = build_model(load_config(REPOSITORY / "configs" / "localization" / "bmn.yaml"))
    load_weights(model, tmp_path / "BMN.pdparams")
    ours = model.state_dict()
    assert len(ours) == len(theirs)
    for name, expected in (("head.end.2.bias", "te_conv2.bias"), ("neck.reduce.weight", "p_conv3d1.weight")):
        np.testing.assert_array_equal(ours[name].numpy(), theirs[expected])
