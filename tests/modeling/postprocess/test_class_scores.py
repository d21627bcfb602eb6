from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.modeling.postprocess.class_scores import ClassScores


def test_each_sample_has_its_row() -> None:
    scores = np.array([[0.25, 0.75], [1.0, 0.0]], np.float32)
    first, second = ClassScores()({"scores": scores}, [{"id": "a"}, {"id": "b"}])
    assert first["scores"].tolist() == [0.25, 0.75]
    assert second["scores"].tolist() == [1.0, 0.0]


def test_scores_that_are_no_numbers_are_named() -> None:
    with pytest.raises(ValueError, match="b: scores should be finite, got nan or inf; check the weights"):
        ClassScores()({"scores": np.array([[1, 0], [np.nan, 0]], np.float32)}, [{"id": "a"}, {"id": "b"}])
