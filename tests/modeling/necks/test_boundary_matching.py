from __future__ import annotations

import numpy as np
import paddle
import pytest

from benchmarks.boundary_matching import PublishedMatching
from paddlevideo.modeling.necks import BoundaryMatching
from paddlevideo.modeling.necks.boundary_matching import sampling_shares

SNIPPETS, DURATIONS, SAMPLES = 11, 7, 5


def layer() -> BoundaryMatching:
    paddle.seed(0)
    neck = BoundaryMatching(6, SNIPPETS, DURATIONS, 4, 8, 3, num_samples=SAMPLES)
    neck.reduce.bias.set_value(paddle.linspace(-0.1, 0.2, 8))
    return neck


def test_it_equals_the_published_layer_and_so_do_its_gradients() -> None:
    neck = layer()
    x = paddle.randn([2, 6, SNIPPETS])
    direction = paddle.randn([2, 3, DURATIONS, SNIPPETS])
    gradients = []
    results = []
    for forward in (neck, PublishedMatching(neck)):
        own = x.detach()
        own.stop_gradient = False
        results.append(forward(own))
        (results[-1] * direction).sum().backward()
        gradients.append([own.grad.numpy(), *(p.grad.numpy() for p in neck.parameters())])
        neck.clear_gradients()
    np.testing.assert_allclose(results[0].numpy(), results[1].numpy(), atol=1e-5)
    for ours, published in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, published, atol=1e-4)


def test_the_samples_of_a_segment() -> None:
    (shares,) = sampling_shares(np.array([2]), np.array([2]), 6, num_samples=2, points=2, margin=0.5)
    # From 2 - 1 to 3 + 1 there are the places 1, 2, 3 and 4, two for each sample.
    np.testing.assert_allclose(shares, [[0, 0.5, 0.5, 0, 0, 0], [0, 0, 0, 0.5, 0.5, 0]])


def test_samples_outside_the_video_are_nothing_but_just_before_it() -> None:
    (shares,) = sampling_shares(np.array([0]), np.array([2]), 2, num_samples=4, points=1, margin=0.25)
    # Places -0.5, 0.17, 0.83 and 1.5: what is up to one snippet before the video counts as its first.
    np.testing.assert_allclose(shares, [[1, 0], [5 / 6, 1 / 6], [1 / 6, 5 / 6], [0, 0.5]], atol=1e-6)


def test_the_matrices_are_not_saved() -> None:
    neck = layer()
    assert {name.rpartition(".")[0] for name in neck.state_dict()} == {"narrow", "reduce", "mix"}
    assert neck.reduce.weight.shape == [8, 4, SAMPLES, 1, 1]  # as a convolution has it


@pytest.mark.parametrize("arguments", [{"max_duration": 12}, {"max_duration": 0}, {"num_samples": 1, "points": 1}])
def test_sizes_that_cannot_be(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="BoundaryMatching: "):
        BoundaryMatching(6, SNIPPETS, **arguments)
