"""The boundary-matching layer beside the published one, which samples every segment before it weighs the samples."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddlevideo.modeling.necks import BoundaryMatching
from paddlevideo.modeling.necks.boundary_matching import sampling_shares
from paddlevideo.utils.command import run_command


class PublishedMatching:
    """The same as a layer, with its weights: a matrix samples all segments, two convolutions reduce the samples.

    Args:
        neck: whose weights.
        points: see `BoundaryMatching`.
        margin: likewise.
    """

    def __init__(self, neck: BoundaryMatching, points: int = 3, margin: float = 0.5) -> None:
        self.neck = neck
        snippets, durations, samples = neck.num_snippets, neck.max_duration, neck.num_samples
        duration, start = np.divmod(np.arange(durations * snippets), snippets)
        shares = sampling_shares(start, duration + 1, snippets, samples, points, margin)  # [D * T, N, T]
        shares[duration + start >= snippets] = 0
        self.shape = [samples, durations, snippets]
        self.mask = paddle.to_tensor(np.ascontiguousarray(shares.transpose(2, 1, 0).reshape(snippets, -1)))

    def __call__(self, x: Tensor) -> Tensor:
        """See `BoundaryMatching.forward`."""
        neck, (samples, *_) = self.neck, self.shape
        sampled = paddle.matmul(F.relu(neck.narrow(x)), self.mask).reshape([len(x), -1, *self.shape])
        reduced = F.relu(F.conv3d(sampled, neck.reduce.weight, neck.reduce.bias, stride=(samples, 1, 1)).squeeze(2))
        return F.relu(F.conv2d(reduced, neck.mix.weight, neck.mix.bias))


def seconds(layer: Callable[[Tensor], Tensor], x: Tensor) -> tuple[float, float]:
    """Processor time of a forward and a backward pass."""
    begin = time.process_time()
    answer = layer(x)
    middle = time.process_time()
    answer.mean().backward()
    return middle - begin, time.process_time() - middle


def run(arguments: Sequence[str] | None) -> None:
    """Print the medians of both layers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    neck = BoundaryMatching(256, 100)
    published = PublishedMatching(neck)
    x = paddle.randn([1, 256, 100])
    x.stop_gradient = False
    difference = float((neck(x) - published(x)).abs().max())
    kinds: dict[str, Callable[[Tensor], Tensor]] = {"published": published, "ours": neck}
    times = {name: np.median([seconds(layer, x) for _ in range(rounds)], axis=0) for name, layer in kinds.items()}
    print(f"{'seconds of processor':<22}{'forward':>9}{'backward':>10}")
    for name, (forward, backward) in times.items():
        print(f"{name:<22}{forward:>9.3f}{backward:>10.3f}")
    ratio = times["published"].sum() / times["ours"].sum()
    constants = sum(value.size * value.element_size() for value in neck.buffers()) >> 20
    sizes = f"{published.mask.size * published.mask.element_size() >> 20} and {constants} MB"
    print(f"ratio {ratio:.1f}; constants {sizes}; largest difference {difference:.1e}")


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
