from __future__ import annotations

import dataclasses

import paddle
import pytest

from paddlevideo.config import Config
from paddlevideo.tasks import precision
from paddlevideo.tasks.precision import Precision, precision_of


@pytest.mark.parametrize(
    ("amp", "mixed", "scaled"),
    [
        ({}, False, False),
        ({"level": "O1"}, True, True),
        ({"level": "O2", "dtype": "bfloat16"}, True, False),
    ],
)
def test_only_float16_scales_its_loss(
    tiny_config: Config, monkeypatch: pytest.MonkeyPatch, amp: dict[str, str], mixed: bool, scaled: bool
) -> None:
    made: dict[str, dict[str, object]] = {}
    monkeypatch.setattr(paddle.device, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(precision.paddle.amp, "GradScaler", lambda **given: made.setdefault("scaler", given))
    monkeypatch.setattr(
        precision.paddle.amp, "auto_cast", lambda on, **given: made.setdefault("cast", {"on": on, **given})
    )
    found = precision_of(dataclasses.replace(tiny_config, amp=amp))
    found.scaler()
    found.forward()
    assert made["scaler"] == {"enable": scaled}
    assert made["cast"]["on"] is mixed
    if mixed:
        assert made["cast"] == {"on": True, "level": amp["level"], "dtype": amp.get("dtype", "float16")}


def test_a_cpu_trains_in_float32(tiny_config: Config) -> None:
    assert precision_of(dataclasses.replace(tiny_config, amp={"level": "O2"})) == Precision()
    with pytest.raises(TypeError, match=r"amp: dtype should be .*bfloat16"):
        precision_of(dataclasses.replace(tiny_config, amp={"level": "O1", "dtype": "int8"}))
