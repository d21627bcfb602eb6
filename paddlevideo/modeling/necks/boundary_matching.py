"""The boundary-matching layer (BMN, sec. 4.1): a feature for every segment that starts and ends at a snippet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.layers import snippet_conv
from paddlevideo.registry import NECKS
from paddlevideo.types import FloatArray, IntArray

BLOCKS = 4  # along durations, and along starts: the segments of a block sample about the same snippets


@NECKS.register
class BoundaryMatching(nn.Layer):
    """Features sampled along every segment and its surroundings, and reduced to one.

    The published layer samples `channels` features for every segment with a matrix that is nearly empty, then
    convolves over the samples. Both are linear, so here the weights of the convolution come first, on snippets instead
    of on segments; the matrix is multiplied without most of its zeros, for segments that end within the video alone.
    All others have the same feature.

    Args:
        in_channels: channels of a snippet.
        num_snippets: T, snippets of a video.
        max_duration: D, snippets of the longest segment; None for T.
        channels: of a snippet when it is sampled.
        reduced_channels: of a segment when its samples are put together.
        out_channels: of a segment at last.
        num_samples: N, sampled places of a segment.
        points: places that are averaged for each sample.
        margin: share of its length that is sampled before and behind a segment.
    """

    def __init__(
        self,
        in_channels: int,
        num_snippets: int,
        max_duration: int | None = None,
        channels: int = 128,
        reduced_channels: int = 512,
        out_channels: int = 128,
        num_samples: int = 32,
        points: int = 3,
        margin: float = 0.5,
    ) -> None:
        super().__init__()
        self.max_duration = num_snippets if max_duration is None else max_duration
        if not 1 <= self.max_duration <= num_snippets:
            raise ValueError(
                f"BoundaryMatching: max_duration should be 1..{num_snippets}, the snippets of a video, got "
                f"{max_duration}"
            )
        if num_samples < 1 or points < 1 or num_samples * points < 2 or margin < 0:
            raise ValueError(
                "BoundaryMatching: num_samples and points should be positive with two points or more, margin at least "
                f"0, got {num_samples}, {points}, {margin}"
            )
        self.num_snippets, self.num_samples, self.out_channels = num_snippets, num_samples, out_channels
        self.narrow = snippet_conv(in_channels, channels, 3)
        self.reduce = _Kernel(channels, reduced_channels, (num_samples, 1, 1))
        self.mix = _Kernel(reduced_channels, out_channels, (1, 1))
        self._place_blocks(points, margin)

    def _place_blocks(self, points: int, margin: float) -> None:
        """Rows and shares of each block, and the place of every cell of the map among the segments of all blocks."""
        place = np.full(self.max_duration * self.num_snippets, -1)
        self.num_blocks = count = 0
        for cells in block_cells(self.num_snippets, self.max_duration):
            length, start = np.divmod(cells, self.num_snippets)
            shares = sampling_shares(start, length + 1, self.num_snippets, self.num_samples, points, margin)
            taken = shares.reshape(len(cells), -1)  # [K, N * T]
            rows = np.flatnonzero(taken.any(0))
            self._keep(f"rows_{self.num_blocks}", rows)
            self._keep(f"shares_{self.num_blocks}", np.ascontiguousarray(taken[:, rows]))
            place[cells] = count + np.arange(len(cells))
            count += len(cells)
            self.num_blocks += 1
        self._keep("place", np.where(place < 0, count, place))  # behind all of them, the feature of nothing

    def _keep(self, name: str, values: npt.NDArray[Any]) -> None:
        """Add a constant that moves with the layer, and is not saved with it."""
        self.register_buffer(name, paddle.to_tensor(values), persistable=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in_channels, T]` to `[B, out_channels, D, T]`.

        Row d, column s is the segment of d + 1 snippets that starts with snippet s.
        """
        snippets = F.relu(self.narrow(x)).transpose([2, 0, 1])  # [T, B, C]
        weighted = F.linear(snippets, self.reduce.matrix())  # [T, B, N * R]
        apart = weighted.reshape([0, 0, self.num_samples, -1]).transpose([2, 0, 1, 3])  # [N, T, B, R]
        table = apart.reshape([self.num_samples * self.num_snippets, -1])  # [N * T, B * R]
        sampled = [
            paddle.matmul(getattr(self, f"shares_{k}"), table.gather(getattr(self, f"rows_{k}")))
            for k in range(self.num_blocks)
        ]
        segments = paddle.concat([*sampled, paddle.zeros_like(table[:1])])  # [S + 1, B * R]
        reduced = F.relu(segments.reshape([len(segments), -1, self.reduce.out_channels]) + self.reduce.bias)
        mixed = F.relu(F.linear(reduced, self.mix.matrix(), self.mix.bias))  # [S + 1, B, out_channels]
        cells = mixed.gather(self.place)  # [D * T, B, out_channels]
        return cells.transpose([1, 2, 0]).reshape([0, 0, self.max_duration, self.num_snippets])


class _Kernel(nn.Layer):
    """Weights and bias of a convolution whose kernel is all that it sees, in the shape of that convolution's."""

    def __init__(self, in_channels: int, out_channels: int, kernel: tuple[int, ...]) -> None:
        super().__init__()
        self.out_channels = out_channels
        drawn = nn.initializer.Normal(0.0, (2 / (in_channels * int(np.prod(kernel)))) ** 0.5)
        self.weight = self.create_parameter([out_channels, in_channels, *kernel], default_initializer=drawn)
        self.bias = self.create_parameter([out_channels], is_bias=True)

    def matrix(self) -> Tensor:
        """The weights of each place of the kernel beside each other, `[in_channels, N * out_channels]`."""
        return self.weight.flatten(2).transpose([1, 2, 0]).flatten(1)


def block_cells(num_snippets: int, max_duration: int) -> Iterator[IntArray]:
    """The cells `d * T + s` of all segments that end within the video, in `BLOCKS` x `BLOCKS` parts of the map."""
    duration, start = np.divmod(np.arange(max_duration * num_snippets), num_snippets)
    part = duration * BLOCKS // max_duration * BLOCKS + start * BLOCKS // num_snippets
    valid = duration + start < num_snippets
    for number in range(BLOCKS**2):
        cells = np.flatnonzero(valid & (part == number))
        if len(cells):
            yield cells


def sampling_shares(
    start: IntArray, length: IntArray, num_snippets: int, num_samples: int, points: int, margin: float
) -> FloatArray:
    """What each sample of a segment takes of each snippet (BMN, eq. 2 and 3).

    Points are spread evenly from `margin` of the length before the first snippet to as much behind the last one; each
    is interpolated between two snippets, outside the video nothing is taken, and a sample is a mean of `points`.

    Args:
        start: `[K]`, first snippet of each segment.
        length: `[K]`, its snippets.
        num_snippets: T, of the video.
        num_samples: N.
        points: see above.
        margin: see above.

    Returns:
        `[K, N, T]`.
    """
    first, last = start - margin * length, start + length - 1 + margin * length  # [K]
    count = num_samples * points
    place = first[:, None] + (last - first)[:, None] * np.arange(count) / (count - 1)  # [K, N * points]
    place = np.where((place > -1) & (place < 0), 0, place)  # which is how the published code rounds
    shares = np.zeros((len(start), num_samples, num_snippets))
    for snippet, share in (np.floor(place), 1 - place % 1), (np.floor(place) + 1, place % 1):
        found = (snippet >= 0) & (snippet < num_snippets)
        segment, point = np.nonzero(found)
        np.add.at(shares, (segment, point // points, snippet[found].astype(np.int64)), share[found] / points)
    return shares.astype(np.float32)
