from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.modeling.postprocess import ProposalSoftNMS
from paddlevideo.modeling.postprocess.proposal_soft_nms import likely, pair_boundaries

START = np.array([0.1, 0.9, 0.2, 0.3, 0.2], np.float32)
END = np.array([0.1, 0.2, 0.8, 0.1, 0.1], np.float32)


def test_likely_snippets_are_high_or_above_their_neighbours() -> None:
    assert likely(START).tolist() == [False, True, False, True, False]  # 0.3 is a peak below half of 0.9
    assert likely(np.array([0.6, 0.5, 1.0, 0.5])).tolist() == [True, False, True, False]
    assert likely(np.full(3, 0.5)).all()


def test_every_likely_start_is_paired_with_every_likely_end_behind_it() -> None:
    quality = np.arange(25, dtype=np.float32).reshape(5, 5) / 25
    segments, scores = pair_boundaries(START, END, quality)
    # Starts at 0 (always), 1 and 3, ends at 2 and 4 (always): by duration, then by start.
    expected = [(1, 2), (3, 4), (0, 2), (1, 4), (0, 4)]
    np.testing.assert_allclose(segments * 5, [(first, last + 1) for first, last in expected])
    np.testing.assert_allclose(
        scores, [START[first] * END[last] * quality[last - first, first] for first, last in expected], rtol=1e-6
    )


def test_no_segment_is_longer_than_the_map() -> None:
    segments, _ = pair_boundaries(START, END, np.ones((2, 5), np.float32))
    np.testing.assert_allclose(segments * 5, [(1, 3), (3, 5)])


def test_proposals_are_seconds() -> None:
    decoded = {"start": START[None], "end": END[None], "map": np.ones((1, 2, 5, 5), np.float32)}
    (found,) = ProposalSoftNMS(top_k=2)(decoded, [{"id": "v", "duration": 50.0}])
    np.testing.assert_allclose(found["segments"][0], [10, 30])
    assert found["scores"][0] == pytest.approx(0.9 * 0.8, rel=1e-6)
    assert found["segments"].shape == (2, 2) and (np.diff(found["scores"]) <= 0).all()


def test_an_answer_that_is_not_finite_names_the_video() -> None:
    decoded = {"start": START[None] * np.nan, "end": END[None], "map": np.ones((1, 2, 5, 5), np.float32)}
    with pytest.raises(ValueError, match="v_1: the network's answer is nan or inf"):
        ProposalSoftNMS()(decoded, [{"id": "v_1", "duration": 50.0}])


def test_arguments_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="decay and top_k should be positive"):
        ProposalSoftNMS(decay=0.0)
