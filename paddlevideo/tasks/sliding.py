"""A network for clips that move on: maps of the stem that a clip shares with the clip before it are computed once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paddlevideo.engines import Network
from paddlevideo.types import Arrays, FloatArray, Tensors


@dataclass(frozen=True, eq=False)
class _Known:
    """A clip that was answered.

    Args:
        frames: `[3, H, W]` each, copies.
        maps: `[1, C, 1, H', W']` each, 1 + T - 2P of them, the first of no use.
    """

    frames: Sequence[FloatArray]
    maps: Sequence[FloatArray]


def sliding_inputs(clip: Sequence[int | None], maps_shape: Sequence[int]) -> dict[str, list[int | None]]:
    """Shapes of the inputs of a `Sliding`, without the batch axis.

    Args:
        clip: `[3, T, H, W]`.
        maps_shape: see `Sliding`.
    """
    channels, frames, *plane = clip
    maps_channels, count, *maps_plane = maps_shape
    head = None if frames is None else frames - (count - 1)
    return {
        "head": [channels, head, *plane],
        "tail": [channels, None, *plane],
        "maps": [maps_channels, None, *maps_plane],
    }


class SlidingNetwork:
    """Looks like the network of a model that offers `sliding`, and gives its answers, to rounding.

    Clips may come in any order: each is compared with those before it, frame by frame, and one that moves on none of
    them is computed as a whole. Clips of a batch are answered one after another. Not to be shared between threads.

    Args:
        network: of the graph of a `Sliding`.
        maps_shape: see `Sliding`.
        keep: how many clips are kept: one for each stream that takes turns, times the step between frames of a clip, as
            a clip of every n-th frame moves on the one n before it.
    """

    def __init__(self, network: Network, maps_shape: Sequence[int], keep: int = 1) -> None:
        channels, count, *plane = maps_shape
        self.network, self.nothing = network, np.zeros((1, channels, 1, *plane), np.float32)
        self.inside = count - 1  # maps that do not see beyond the ends of a clip
        self.known: deque[_Known] = deque(maxlen=keep)

    def __call__(self, inputs: Arrays | Tensors) -> Arrays:
        """Clips `[B, 3, T, H, W]`, the only input, to decoded arrays."""
        (clips,) = inputs.values()
        answers = [self._answer(clip) for clip in np.asarray(clips)]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    def _answer(self, clip: FloatArray) -> Arrays:
        frames = list(clip.swapaxes(0, 1))
        before, new = self._before(frames)
        shared, maps = before.frames[new:], before.maps[new:]
        head, tail = clip[None, :, : len(frames) - self.inside], clip[None, :, self.inside - new :]
        answer = self.network({"head": head, "tail": tail, "maps": np.concatenate(maps, axis=2)})
        copies = [frame.copy() for frame in frames[len(shared) :]]
        self.known.append(_Known([*shared, *copies], [*maps, *np.split(answer.pop("maps"), new, axis=2)]))
        return answer

    def _before(self, frames: list[FloatArray]) -> tuple[_Known, int]:
        """The clip that this one moves on, which is not kept any more, and how many frames are new."""
        for known in self.known:
            for new in range(1, 1 + self.inside // 2):  # with more of them a whole clip costs as much
                if all(map(np.array_equal, known.frames[new:], frames)):
                    self.known.remove(known)
                    return known, new
        return _Known((), [self.nothing] * (1 + self.inside)), self.inside
