"""A network for clips that move on: what it computed of a frame serves all clips that hold the frame.

The stem of the network is linear up to its first activation, so the outputs of its convolution are sums of what frames
add to them, their taps (`modeling/sliding.py`). With a kernel over K frames and a padding of P, a frame that comes

- completes the output K - 1 - P frames before it, whose map is that of all later clips that have it inside;
- lacks nothing but later frames in the outputs after that, of which the last P of a clip are made: partial sums;
- is the last of the K - 1 frames whose taps the first P outputs of a clip have to do without.

So all sums of a frame cost K additions, and the taps that are taken away again are the partial sums of earlier frames.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial

import numpy as np
import paddle
from paddle import nn

from paddlevideo.engines import Network
from paddlevideo.modeling.sliding import Sliding
from paddlevideo.types import Arrays, FloatArray, Tensors
from paddlevideo.utils.cpu import use_onednn

PARTS = ("stem", "taps", "each", "rest")
NEW = 4  # one of so many frames may be new: if more are, the stem of the whole clip is about as fast


class SlidingNetwork:
    """Looks like the network of a model that offers `sliding`, and gives its answers, to rounding.

    Clips may come in any order: each is compared with those before it, and one that does not move one of them on goes
    through the whole stem. Clips of a batch are answered one after another. Not to be shared between threads.

    Args:
        parts: networks of the graphs of `Sliding.graphs`, whose outputs belong to the caller.
        kernel: frames that an output of the stem's convolution sees.
        padding: frames of zeros at either end of a clip.
        keep: how many clips are kept: one for each stream that takes turns, times the step between frames of a clip, as
            a clip of every n-th frame moves on the one n before it.
    """

    def __init__(self, parts: Mapping[str, Network], kernel: int, padding: int, keep: int = 1) -> None:
        self.parts, self.kernel, self.padding = parts, kernel, padding
        self.clips: deque[_Clip] = deque(maxlen=keep)

    def __call__(self, inputs: Arrays | Tensors) -> Arrays:
        """Clips `[B, 3, T, H, W]`, the only input, to decoded arrays."""
        (clips,) = inputs.values()
        answers = [self._answer(clip) for clip in np.asarray(clips)]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    def _answer(self, clip: FloatArray) -> Arrays:
        return self.parts["rest"]({"maps": self._maps(clip), "frame": clip[None, :, -1:]})

    def _maps(self, clip: FloatArray) -> FloatArray:
        """The stem's maps `[1, C', T', H'', W'']` of a clip `[3, T, H, W]`."""
        frames = [clip[None, :, time : time + 1] for time in range(clip.shape[1])]
        for known in self.clips:
            count = known.moved_by(frames)
            if count:
                self.clips.remove(known)
                self.clips.append(known)  # the one that goes first is the one not met for longest
                return known.move_on(frames[-count:])
        self.clips.append(_Clip(frames, self.parts, self.kernel, self.padding))
        return self.parts["stem"]({"clip": clip[None]})["maps"]


class _Clip:
    """The frames of a clip, and from its second one on what the stem made of them.

    Args:
        frames: `[1, 3, 1, H, W]` each.
        parts: see `SlidingNetwork`.
        kernel: see `SlidingNetwork`; at most as many as there are frames.
        padding: see `SlidingNetwork`.
    """

    def __init__(self, frames: list[FloatArray], parts: Mapping[str, Network], kernel: int, padding: int) -> None:
        self.parts, self.kernel, self.padding = parts, kernel, padding
        self.frames = deque((frame.copy() for frame in frames), maxlen=len(frames))
        self.sums: FloatArray | None = None  # [K, C, 1, H', W'], the last output that is complete and those after it
        self.early: deque[FloatArray] = deque(maxlen=kernel)  # of each frame, the sums of 1 to P taps: the last first
        # Of each complete output, its maps as one of the first P of a clip and inside; of the last one, those after it.
        self.maps: deque[FloatArray] = deque(maxlen=len(frames) + padding + 1 - kernel)

    def moved_by(self, frames: list[FloatArray]) -> int:
        """How many of the frames of a clip follow those of this one, which they otherwise share; 0 if they do not."""
        for count in range(1, max(1, len(frames) // NEW) + 1):
            if len(frames) == len(self.frames) and all(map(np.array_equal, frames[:-count], list(self.frames)[count:])):
                return count
        return 0

    def move_on(self, frames: list[FloatArray]) -> FloatArray:
        """The maps `[1, C', T', H'', W'']` of the clip that has these frames at its end instead of the first ones."""
        if self.sums is None:
            for frame in self.frames:
                self._add(frame)
        for frame in frames:
            self.frames.append(frame.copy())
            self._add(frame)
        inside = [maps[min(time, self.padding)] for time, maps in enumerate(self.maps)]
        return np.concatenate([*inside, *self.maps[-1][self.padding + 1 :]], axis=1)[None]

    def _add(self, frame: FloatArray) -> None:
        """Take the next frame into the sums, and make the maps that it completes."""
        taps: FloatArray = self.parts["taps"]({"frame": frame})["taps"][0]
        if self.sums is None:
            self.early.extend([np.zeros_like(taps[self.kernel - self.padding :])] * self.kernel)
        else:
            taps[:-1] += self.sums[1:]
        self.sums = taps
        self.early.append(taps[self.kernel - self.padding :].copy())
        ends = np.empty((2 * self.padding + 1, *taps.shape[1:]), taps.dtype)
        for time in range(self.padding):  # an output of the first P, without its first P - time taps
            np.subtract(taps[0], self.early[-1 - self.kernel + self.padding - time][time], out=ends[time])
        ends[self.padding :] = taps[: self.padding + 1]
        self.maps.append(self.parts["each"]({"sums": ends})["maps"])


def eager_parts(sliding: Sliding) -> dict[str, Network]:
    """The graphs of a model in eval mode, run by Paddle as they are."""
    graphs = sliding.graphs()
    use_onednn(graphs["taps"])
    return {name: partial(_run, graph) for name, graph in graphs.items()}


@paddle.no_grad()
def _run(graph: nn.Layer, inputs: Arrays) -> Arrays:
    outputs = graph({name: paddle.to_tensor(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def graph_inputs(parts: Mapping[str, Network], clip: FloatArray) -> dict[str, Arrays]:
    """What each of the parts takes for a clip `[1, 3, T, H, W]`, its last frame and one sum of taps."""
    frame = clip[:, :, -1:]
    maps = parts["stem"]({"clip": clip})["maps"]
    sums = parts["taps"]({"frame": frame})["taps"][:, 0]
    return {
        "stem": {"clip": clip},
        "taps": {"frame": frame},
        "each": {"sums": sums},
        "rest": {"maps": maps, "frame": frame},
    }
