from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.heads.consensus_head import ConsensusHead


def test_it_classifies_the_mean_over_positions_and_frames() -> None:
    head = ConsensusHead(in_channels=2, num_classes=2)
    head.fc.weight.set_value(np.array([[1.0, 0.0], [0.0, 10.0]], np.float32).reshape(2, 2, 1, 1))
    head.fc.bias.set_value(np.array([0.5, 0.0], np.float32))
    features = np.zeros((4, 2, 1, 2), np.float32)  # two clips of two frames
    features[0, 0] = [[4, 8]]
    features[3, 1] = [[1, 3]]
    assert head(paddle.to_tensor(features), 2).numpy().tolist() == [[3.5, 0.0], [0.5, 10.0]]
    assert head.pool(paddle.to_tensor(features), 2).numpy()[0].tolist() == [[6.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(("mode", "factor"), [("upscale_in_train", 1.0), ("downscale_in_infer", 0.75)])
def test_dropout_is_made_up_for_in_training_or_when_it_answers(mode: str, factor: float) -> None:
    head = ConsensusHead(in_channels=4, num_classes=1, dropout=0.25, dropout_mode=mode)
    head.fc.weight.set_value(np.ones((1, 4, 1, 1), np.float32))
    features = paddle.ones([2000, 4, 1, 1])
    head.eval()
    assert head(features, 1).numpy()[:, 0] == pytest.approx(4 * factor)
    head.train()
    paddle.seed(0)
    assert head(features, 1).numpy().mean() == pytest.approx(4 * factor, rel=0.02)


def test_a_row_of_weights_speaks_of_a_class() -> None:
    head = ConsensusHead(in_channels=2, num_classes=3)
    assert head.fc.weight.shape[0] == 3
    assert head.spoken_classes(3).tolist() == [0, 1, 2]
