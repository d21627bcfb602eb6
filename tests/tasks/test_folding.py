from __future__ import annotations

import numpy as np
import paddle
from paddle import nn

from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.folding import NORMS, fold_norms
from paddlevideo.types import Tensors


class Network(VideoModel):
    """Convolutions with and without a bias, one that runs twice, and a normalisation that follows no convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3D(3, 4, 3, bias_attr=False), nn.BatchNorm3D(4), nn.ReLU())
        self.conv, self.bn = nn.Conv2D(4, 5, 3, padding=1), nn.BatchNorm2D(5)
        self.twice, self.after = nn.Conv2D(5, 5, 1), nn.BatchNorm2D(5)
        self.alone = nn.BatchNorm2D(5)

    def forward(self, inputs: Tensors, targets: Tensors | None = None) -> Tensors:
        x = nn.functional.relu(self.bn(self.conv(self.stem(inputs["clip"]).mean(2))))
        x = self.after(self.twice(self.twice(x)))
        return {"raw": self.alone(nn.functional.relu(x))}

    def loss(self, outputs: Tensors, targets: Tensors) -> Tensors:
        return outputs


def network() -> Network:
    model = Network()
    rng = np.random.default_rng(0)
    for layer in model.sublayers():
        if isinstance(layer, NORMS):
            for value in (layer.weight, layer.bias, layer._mean):
                value.set_value(rng.normal(size=value.shape).astype(np.float32))
            layer._variance.set_value(rng.uniform(0.5, 2, layer._variance.shape).astype(np.float32))
    model.eval()
    return model


def test_answers_stay_and_the_model_too() -> None:
    model = network()
    before = {name: value.numpy() for name, value in model.state_dict().items()}
    inputs = {"clip": np.random.default_rng(1).random((2, 3, 5, 8, 8)).astype(np.float32)}
    folded = fold_norms(model, inputs)
    assert not folded.training
    tensors = {"clip": paddle.to_tensor(inputs["clip"])}
    with paddle.no_grad():
        expected, found = model(tensors)["raw"].numpy(), folded(tensors)["raw"].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert {name: value.tobytes() for name, value in before.items()} == {
        name: value.numpy().tobytes() for name, value in model.state_dict().items()
    }


def test_only_what_runs_once_after_a_convolution_is_folded() -> None:
    folded = fold_norms(network(), {"clip": np.zeros((1, 3, 4, 6, 6), np.float32)})
    left = [name for name, layer in folded.named_sublayers() if isinstance(layer, NORMS)]
    assert left == ["after", "alone"]
    assert folded.stem[0].bias is not None
