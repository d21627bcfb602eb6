from __future__ import annotations

import math
from pathlib import Path

import paddle
import pytest

from paddlevideo.modeling.losses.class_terms import balanced_focal, class_shares, exists, focal


def test_focal_by_hand() -> None:
    logits = paddle.to_tensor([[0.0, math.log(3)], [1.0, 1.0]])
    cost = focal(logits, paddle.to_tensor([1, -1]), gamma=2.0).numpy()
    assert cost.tolist() == pytest.approx([0.25**2 * -math.log(0.75), 0.5**2 * math.log(2)])


def test_balanced_focal_by_hand() -> None:
    p, is_label = paddle.to_tensor([[0.75, 0.19]]), paddle.to_tensor([[1, 0]])
    cost = balanced_focal(p, is_label, paddle.to_tensor([0.1, 0.4]), gamma=0.5).item()
    yes = 0.25**0.5 * -math.log(0.75) * math.exp(0.9)
    no = 0.19**0.5 * -math.log(0.81) * math.exp(0.4)
    assert cost == pytest.approx(yes + no, rel=1e-5)


def test_certain_and_wrong_stays_finite() -> None:
    p = paddle.to_tensor([[1.0, 0.0]], stop_gradient=False)
    cost = balanced_focal(p, paddle.to_tensor([[0, 1]]), paddle.zeros([2]), gamma=0.5)
    cost.sum().backward()
    assert math.isfinite(cost.item()) and math.isfinite(p.grad.abs().sum().item())


def test_padding_of_one_and_of_several_labels() -> None:
    assert exists(paddle.to_tensor([[3, -1]])).tolist() == [[True, False]]
    assert exists(paddle.to_tensor([[[0, 1], [-1, -1]]])).tolist() == [[True, False]]


def test_class_shares_come_from_a_file_a_list_or_are_none(tmp_path: Path) -> None:
    path = tmp_path / "shares.txt"
    path.write_text("0.25\n0.5\n")
    assert class_shares(str(path), 2, "loss") == class_shares([0.25, 0.5], 2, "loss") == [0.25, 0.5]
    assert class_shares(None, 2, "loss") == [0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [("0.25\n", "expected 2 numbers.*got 1"), ("0.2\n1.5\n", "0..1"), ("0.2\nmany\n", "many")],
)
def test_shares_that_do_not_fit_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "shares.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"shares.txt.*{message}"):
        class_shares(str(path), 2, "loss")
    with pytest.raises(FileNotFoundError, match="no such file"):
        class_shares(str(tmp_path / "none.txt"), 2, "loss")
