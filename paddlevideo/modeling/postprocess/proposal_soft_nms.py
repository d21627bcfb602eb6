"""The proposals of BMN (sec. 4.4): pairs of a likely start and a likely end, thinned out by soft suppression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paddlevideo.modeling.segments import soft_nms
from paddlevideo.registry import POSTPROCESS
from paddlevideo.types import Arrays, Meta, Prediction

PEAK = 0.5  # share of the largest probability above which a snippet is a boundary
Floats = npt.NDArray[np.float64]


@POSTPROCESS.register
class ProposalSoftNMS:
    """Segments between likely boundaries, the best first.

    Args:
        decay: see `soft_nms`.
        narrow_threshold: overlap above which a segment decays beside one without length.
        wide_threshold: the same beside one as long as the video.
        top_k: segments of a video at most.
    """

    answers = "SegmentAnswers"

    def __init__(
        self, decay: float = 0.4, narrow_threshold: float = 0.55, wide_threshold: float = 0.9, top_k: int = 100
    ) -> None:
        if decay <= 0 or top_k < 1:
            raise ValueError(f"ProposalSoftNMS: decay and top_k should be positive, got {decay} and {top_k}")
        self.decay, self.thresholds, self.top_k = decay, (narrow_threshold, wide_threshold), top_k

    def __call__(self, decoded: Arrays, meta: list[Meta]) -> list[Prediction]:
        """Proposals of a batch.

        Args:
            decoded: `start [B, T]`, `end [B, T]`, `map [B, 2, D, T]`, see `BMNHead`.
            meta: of each sample, with `duration` in seconds.

        Returns:
            For each sample `segments [K, 2]` in seconds and `scores [K]`.

        Raises:
            ValueError: a probability is not finite.
        """
        answers = zip(meta, decoded["start"], decoded["end"], decoded["map"], strict=True)
        return [self._proposals(*answer) for answer in answers]

    def _proposals(self, meta: Meta, start: Floats, end: Floats, quality: Floats) -> Prediction:
        if not all(np.isfinite(part).all() for part in (start, end, quality)):
            raise ValueError(f"{meta['id']}: the network's answer is nan or inf; check the weights and the input")
        segments, scores = pair_boundaries(start, end, quality[0] * quality[1])
        rows, scores = soft_nms(segments, scores, self.decay, self.thresholds, self.top_k)
        return {"segments": segments[rows].clip(0, 1) * meta["duration"], "scores": scores}


def pair_boundaries(start: Floats, end: Floats, quality: Floats) -> tuple[Floats, Floats]:
    """Every likely start with every likely end behind it.

    Args:
        start: `[T]`, probabilities of snippets.
        end: `[T]`.
        quality: `[D, T]`, of the segment of d + 1 snippets from snippet t.

    Returns:
        `[N, 2]` as fractions of the video and their scores `[N]`, by duration, then by start.
    """
    snippets = len(start)
    first, last = likely(start), likely(end)
    first[0] = last[-1] = True  # an action may be cut off by the video
    length, begin = np.indices(quality.shape)
    final = begin + length  # last snippet
    length, begin = np.nonzero((final < snippets) & first[begin] & last[final.clip(max=snippets - 1)])
    scores = start.astype(np.float64)[begin] * end[begin + length] * quality[length, begin]
    return np.stack([begin, begin + length + 1], axis=1) / snippets, scores


def likely(probability: Floats) -> npt.NDArray[np.bool_]:
    """Which snippets `[T]` are above `PEAK` of the largest one, or above both neighbours."""
    before, after = np.pad(probability, (1, 0))[:-1], np.pad(probability, (0, 1))[1:]
    above = (probability > before) & (probability > after)
    return above | (probability > PEAK * probability.max())
