from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.metrics import ProposalRecall
from paddlevideo.metrics.base import UnmeasurableError


def add(metric: ProposalRecall, name: str, proposals: list[list[float]], truths: list[list[float]]) -> None:
    """Proposals with falling scores, given in another order; one row of padding behind the truths."""
    segments = np.array(proposals, np.float64).reshape(-1, 2)[::-1]
    target = {
        "segments": np.array([*truths, [0.0, 0.0]]),
        "labels": np.array([0] * len(truths) + [-1]),
    }
    metric.update([{"segments": segments, "scores": np.arange(len(segments)) / 10}], [target], [{"id": name}])


def test_a_video_whose_first_proposal_is_right() -> None:
    metric = ProposalRecall()
    add(metric, "a", [[0, 10]] + [[50, 60]] * 99, [[0, 10]])
    # The official area begins at one proposal and is divided by 100, so that it ends at 0.99.
    assert metric.accumulate() == {"AUC": 0.99, "AR@1": 1.0, "AR@5": 1.0, "AR@10": 1.0, "AR@100": 1.0}


def test_recall_counts_thresholds_up_to_the_overlap() -> None:
    metric = ProposalRecall()
    add(metric, "a", [[0, 7.2]] + [[50, 60]] * 99, [[0, 10]])  # 0.72 reaches 5 of the 10 thresholds
    assert metric.accumulate()["AR@100"] == pytest.approx(0.5)


def test_one_proposal_may_find_several_truths() -> None:
    metric = ProposalRecall()
    add(metric, "a", [[0, 10]] + [[50, 60]] * 99, [[0, 10], [0, 10], [80, 90]])
    assert metric.accumulate()["AR@1"] == pytest.approx(2 / 3)


def test_area_grows_from_where_a_truth_is_found() -> None:
    metric = ProposalRecall()
    add(metric, "a", [[50, 60]] * 49 + [[0, 10]] + [[50, 60]] * 50, [[0, 10]])
    numbers = metric.accumulate()
    assert (numbers["AR@10"], numbers["AR@100"]) == (0, 1)
    assert numbers["AUC"] == pytest.approx(0.505)  # half a step, then 50 of 100


def test_proposals_of_videos_without_truths_count_among_all() -> None:
    metric = ProposalRecall()
    add(metric, "a", [[50, 60]] * 60 + [[0, 10]] + [[50, 60]] * 39, [[0, 10]])
    assert metric.accumulate()["AR@100"] == 1
    add(metric, "b", [[0, 1]] * 100, [])  # so that only half of all may count
    assert metric.accumulate()["AR@100"] == 0


def test_a_video_without_proposals_is_missed() -> None:
    metric = ProposalRecall()
    add(metric, "a", [[0, 10]], [[0, 10]])
    add(metric, "b", [], [[0, 10]])
    assert metric.accumulate()["AR@100"] == 0.5


def test_no_proposals_at_all_find_nothing() -> None:
    metric = ProposalRecall()
    add(metric, "a", [], [[0, 10]])
    assert metric.accumulate() == {"AUC": 0.0, "AR@1": 0.0, "AR@5": 0.0, "AR@10": 0.0, "AR@100": 0.0}


def test_without_truths_nothing_can_be_measured() -> None:
    metric = ProposalRecall()
    add(metric, "a", [[0, 10]], [])
    with pytest.raises(UnmeasurableError, match="none of the 1 test videos"):
        metric.accumulate()


def test_arguments_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="most should be at least 1, got 0"):
        ProposalRecall(most=0)
