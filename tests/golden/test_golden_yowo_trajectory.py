"""Training steps against the official implementation: loss, gradients, buffers, and where the weights end up.

Training a random network of a hundred layers is chaotic, so noise grows about tenfold a step; tolerances are those
that come with the reference arrays. Those of `full` were measured without a float64 run and lie below its rounding, so
after a step it has those of `small`, which has the same learning rate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import paddle
import pytest

from paddlevideo.config import read_yaml
from paddlevideo.modeling.losses import RegionLoss
from paddlevideo.modeling.models import YOWO
from paddlevideo.registry import MODELS
from paddlevideo.solver import build_optimizer
from paddlevideo.utils.cpu import use_onednn
from tests.conftest import REPOSITORY, golden_arrays
from tests.golden.test_golden_yowo_loss import PARTS, official_rows
from tests.golden.weights import assert_close_to_max, golden_clip, golden_seed, golden_weight, load_golden_weights

STEPS = 4
RUNS = {
    "small": ("traj_small", (2, 3, 8, 128, 128), (1e-5, 1e-3, 3e-2, 1e-1, 2.5e-1)),
    "small_epoch5": ("traj_small", (2, 3, 8, 128, 128), (1e-5, 1e-4, 1e-3, 4e-3, 1e-2)),
    "full": ("traj_full", (2, 3, 16, 224, 224), (2e-5, 1e-3, 3e-2, 1e-1, 2.5e-1)),
}
WEIGHT_TOLERANCE = {"small": 4e-4, "small_epoch5": 1e-5, "full": 4e-4}


def without_dropout() -> YOWO:
    node = read_yaml(REPOSITORY / "configs" / "localization" / "yowo.yaml")["MODEL"]
    node["neck"]["dropout"] = 0.0
    model: YOWO = MODELS.build(node, classes=[str(number) for number in range(24)])
    load_golden_weights(model, golden_seed())
    return model


def gradient_norm(part: paddle.nn.Layer) -> float:
    squares = [float((p.grad.astype("float64") ** 2).sum().item()) for p in part.parameters() if p.grad is not None]
    return float(np.sqrt(sum(squares)))


@pytest.mark.parametrize("run", RUNS)
def test_four_steps(run: str) -> None:
    golden = golden_arrays("yowo/trajectory.npz")
    expected = {key.removeprefix(f"{run}/"): golden[key] for key in golden if key.startswith(f"{run}/")}
    tag, shape, tolerances = RUNS[run]
    model = without_dropout()
    if run == "full":
        use_onednn(model)  # as the trainer does on a CPU
    node = {"name": "Adam", "learning_rate": float(expected["lr"]), "weight_decay": 5e-4}
    optimizer = build_optimizer(node, model)
    clip = paddle.to_tensor(golden_clip(tag, shape, golden_seed()))
    boxes, labels = official_rows(expected["target"])
    loss: RegionLoss = model.criterion
    model.train()
    for step in range(STEPS + 1):
        raw = model({"clip": clip})["raw"]
        losses = loss.from_centres(raw, boxes, labels)
        assert losses["loss"].item() == pytest.approx(float(expected["loss"][step]), rel=tolerances[step]), step
        if step == STEPS:
            break
        losses["loss"].backward()
        if step == 0:
            parts = {name: losses[ours].item() for name, ours in PARTS.items()}
            check_first_step(model, raw, parts, expected, shape)
        optimizer.step()
        optimizer.clear_grad()
    check_end(model, clip, expected, run)


def check_first_step(
    model: YOWO,
    raw: paddle.Tensor,
    parts: dict[str, float],
    expected: dict[str, npt.NDArray[np.float32]],
    shape: tuple[int, ...],
) -> None:
    np.testing.assert_allclose(list(parts.values()), expected["components"][0], rtol=1e-3, atol=1e-5)
    assert_close_to_max(raw.numpy().reshape(expected["final_step0"].shape), expected["final_step0"], 3e-4, "output")
    norms = [gradient_norm(part) for part in (model.backbone_2d, model.backbone_3d, model.neck, model.head)]
    np.testing.assert_allclose(norms, expected["grad_norm"][0], rtol=1e-2)
    gradients = {
        "grad0_conv_final": (model.head.conv.weight.grad[:, :8, 0, 0], 3e-4),
        "grad0_gamma": (model.neck.attention.gamma.grad, 3e-2),
        "grad0_2d_conv1": (model.backbone_2d.stage1[0].conv.weight.grad, 5e-2),
        "grad0_3d_conv1": (model.backbone_3d.conv1.weight.grad[:4], 8e-2),
    }
    for name, (gradient, tolerance) in gradients.items():
        assert_close_to_max(gradient.numpy().reshape(expected[name].shape), expected[name], tolerance, name)
    batch, _, frames, height, width = shape
    norms = {  # with the number of values a channel, of which Paddle keeps the biased variance
        "bn2d1": (model.backbone_2d.stage1[0].bn, "backbone_2d.models.0.bn1", batch * height * width),
        "bn3d1": (model.backbone_3d.bn1, "backbone_3d.bn1", batch * frames * height * width // 4),
        "cfam_bn3": (model.neck.refine[1], "cfam.conv_bn_relu3.1", batch * height * width // 32**2),
    }
    for name, (norm, official, count) in norms.items():
        assert_close_to_max(norm._mean.numpy(), expected[f"{name}_running_mean_after1"], 1e-5, f"{name} mean")
        start = golden_weight(f"{official}.running_var", tuple(norm._variance.shape), golden_seed())
        unbiased = 0.9 * start + (norm._variance.numpy() - 0.9 * start) * count / (count - 1)
        assert_close_to_max(unbiased, expected[f"{name}_running_var_after1"], 1e-5, f"{name} variance")


def check_end(model: YOWO, clip: paddle.Tensor, expected: dict[str, npt.NDArray[np.float32]], run: str) -> None:
    tolerance = WEIGHT_TOLERANCE[run]
    np.testing.assert_allclose(
        model.head.conv.weight.numpy()[:, :8, 0, 0], expected["conv_final_after4"], atol=tolerance
    )
    np.testing.assert_allclose(
        model.neck.attention.gamma.numpy().ravel(), expected["gamma_after4"].ravel(), atol=tolerance
    )
    if run == "small_epoch5":
        model.eval()
        with paddle.no_grad():
            raw = model({"clip": clip})["raw"].numpy()
        final = expected["final_eval_after4"]
        assert_close_to_max(raw.reshape(final.shape), final, 5e-2, "output after training")


def test_adam_with_coupled_decay() -> None:
    golden = golden_arrays("yowo/trajectory.npz")
    vector = paddle.nn.Layer()
    vector.weight = vector.create_parameter([64])
    vector.weight.set_value(golden["adam_toy/w0"])
    optimizer = build_optimizer({"name": "Adam", "learning_rate": 1e-4, "weight_decay": 5e-4}, vector)
    for gradient, expected in zip(golden["adam_toy/grads"], golden["adam_toy/w_after"], strict=True):
        (vector.weight * paddle.to_tensor(gradient)).sum().backward()
        optimizer.step()
        optimizer.clear_grad()
        np.testing.assert_allclose(vector.weight.numpy(), expected, atol=1e-6)
