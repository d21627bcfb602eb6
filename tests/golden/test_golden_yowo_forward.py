"""The network and its parts against the official implementation, with its deterministic weights."""

from __future__ import annotations

import json

import numpy as np
import paddle
import pytest

from paddlevideo.config import read_yaml
from paddlevideo.modeling.models import YOWO
from paddlevideo.modeling.necks import CFAM
from paddlevideo.modeling.necks.cfam import ChannelAttention
from paddlevideo.registry import MODELS
from tests.conftest import REPOSITORY, golden_arrays, golden_path
from tests.golden.weights import (
    assert_close_to_max,
    generator,
    golden_clip,
    golden_seed,
    golden_weight,
    load_golden_weights,
    official_name,
)

FORWARD_TOLERANCE = 2e-5
BATCH_STATISTICS_COUNT = 60  # values per channel in the block's training forward: 2 * 5 * 6


@pytest.fixture(scope="module")
def yowo() -> YOWO:
    node = read_yaml(REPOSITORY / "configs" / "localization" / "yowo.yaml")["MODEL"]
    model: YOWO = MODELS.build(node, classes=[str(number) for number in range(24)])
    load_golden_weights(model, golden_seed())
    model.eval()
    return model


def test_names_and_shapes_are_the_official_ones(yowo: YOWO) -> None:
    official = json.loads(golden_path("yowo/official_param_shapes.json").read_text())
    expected = {**official["parameters"], **official["buffers"]}
    expected = {name: shape for name, shape in expected.items() if not name.endswith("num_batches_tracked")}
    ours = {official_name(name): list(value.shape) for name, value in yowo.state_dict().items()}
    assert ours == expected


SHAPES = {"f8_96": (2, 3, 8, 96, 96), "f32_96": (1, 3, 32, 96, 96), "f16_224": (1, 3, 16, 224, 224)}


@pytest.mark.parametrize("case", SHAPES)
def test_forward(yowo: YOWO, case: str) -> None:
    expected = golden_arrays("yowo/forward.npz")
    if f"{case}/final" not in expected:
        pytest.skip(f"case {case} is not among the shipped ones")
    clip = golden_clip(case, SHAPES[case], golden_seed())
    probe = [clip.mean(dtype=np.float64), clip.std(dtype=np.float64), *clip.ravel()[:4]]
    np.testing.assert_allclose(probe, expected[f"{case}/input_probe"], rtol=1e-5)

    seen = {}
    watched = {
        "branch2d": yowo.backbone_2d,
        "branch3d": yowo.backbone_3d,
        "cfam": yowo.neck,
        "tap/backbone_2d.models.24": yowo.backbone_2d.stage6[6],
        "tap/cfam.sc": yowo.neck.attention,
    }
    hooks = [
        part.register_forward_post_hook(lambda _, __, output, name=name: seen.update({name: output.numpy()}))
        for name, part in watched.items()
    ]
    with paddle.no_grad():
        raw = yowo({"clip": paddle.to_tensor(clip)})["raw"].numpy()
    for hook in hooks:
        hook.remove()

    # time is averaged by our model, not by its 3-D branch
    seen["branch3d"] = seen["branch3d"].mean(2, keepdims=True)
    for part in ("branch2d", "branch3d", "cfam"):
        assert_close_to_max(seen[part], expected[f"{case}/{part}"], FORWARD_TOLERANCE, part)
    assert_close_to_max(
        raw.reshape(expected[f"{case}/final"].shape), expected[f"{case}/final"], FORWARD_TOLERANCE, "raw"
    )
    for name, value in seen.items():
        if name.startswith("tap/") and f"{case}/{name}" in expected:
            facts = [value.mean(), value.std(), np.abs(value).max(), *value.ravel()[:5]]
            assert_close_to_max(facts, expected[f"{case}/{name}"], 1e-4, name)


def test_channel_attention_and_its_gradient() -> None:
    golden = golden_arrays("yowo/cfam.npz")
    layer = ChannelAttention()
    layer.gamma.set_value(golden["cam_small/gamma"])
    x = paddle.to_tensor(golden["cam_small/x"], stop_gradient=False)
    out = layer(x)
    (out * paddle.to_tensor(golden["cam_small/grad_out"])).sum().backward()
    assert_close_to_max(out.numpy(), golden["cam_small/out"], 1e-5, "out")
    assert_close_to_max(x.grad.numpy(), golden["cam_small/grad_x"], 1e-5, "grad of x")
    assert_close_to_max(layer.gamma.grad.numpy(), golden["cam_small/grad_gamma"], 1e-5, "grad of gamma")


def test_channel_attention_of_full_width() -> None:
    golden = golden_arrays("yowo/cfam.npz")
    expected = golden["cam_1024/out"]
    x = 0.3 * np.abs(generator("cfam.c1024", golden_seed()).standard_normal(expected.shape))
    layer = ChannelAttention()
    layer.gamma.set_value(np.array([0.5], np.float32))
    assert_close_to_max(layer(paddle.to_tensor(x.astype(np.float32))).numpy(), expected, 1e-5, "out")


def test_cfam_in_eval_and_train_mode() -> None:
    golden = golden_arrays("yowo/cfam.npz")
    block = CFAM(in_channels=40, out_channels=24, dropout=0.0)
    load_golden_weights(block, golden_seed(), "neck.")
    x = generator("cfam.block", golden_seed()).standard_normal((2, 40, 5, 6)).astype(np.float32)
    block.eval()
    assert_close_to_max(block(paddle.to_tensor(x)).numpy(), golden["block/out_eval"], 1e-5, "eval")
    block.train()
    assert_close_to_max(block(paddle.to_tensor(x)).numpy(), golden["block/out_train"], 1e-5, "train")
    for number, part in enumerate((block.reduce, block.mix, block.refine), start=1):
        norm = part[1]
        assert_close_to_max(norm._mean.numpy(), golden[f"block/running_mean_{number}"], 1e-5, "mean")
        official = golden_weight(f"cfam.conv_bn_relu{number}.1.running_var", (1024,), golden_seed())
        batch_part = (norm._variance.numpy() - 0.9 * official) / 0.1  # Paddle keeps the biased variance
        unbiased = batch_part * BATCH_STATISTICS_COUNT / (BATCH_STATISTICS_COUNT - 1)
        assert_close_to_max(0.9 * official + 0.1 * unbiased, golden[f"block/running_var_{number}"], 1e-5, "variance")
