"""Parameters and multiply-adds of the published networks, from their fact sheets."""

from __future__ import annotations

import paddle
import pytest

from paddlevideo.config import load_config
from paddlevideo.tasks.exporter import probe
from paddlevideo.tasks.parts import build_model
from paddlevideo.utils.summary import count_macs, count_parameters
from tests.conftest import REPOSITORY

PARAMETERS = {  # config: total, 2-D branch, 3-D branch, neck, head
    "yowo_plus": (121_105_531, 50_973_225, 47_521_216, 22_462_465, 148_625),
    "yowo_plus_ava": (121_392_531, 50_973_225, 47_521_216, 22_462_465, 435_625),
    "yowo_nano": (72_784_295, 50_973_225, 821_996, 20_840_449, 148_625),
    "yowo_nano_ava": (73_071_295, 50_973_225, 821_996, 20_840_449, 435_625),
}
MACS = (  # config, frames, multiply-adds in G of the whole, the 2-D branch, the 3-D branch
    ("yowo_plus", 16, 43.418, 4.271, 38.039),
    ("yowo_nano", 16, 6.006, 4.271, 0.706),
    ("yowo_nano", 32, 6.712, 4.271, None),
)
OTHER_BRANCHES = (  # the official YOWO with another 3-D branch, 24 classes
    ("{name: ResNet3D, depth: 18}", 105_031_050),
    ("{name: ResNet3D, depth: 50}", 119_772_810),
    ("{name: ResNet3D, depth: 101}", 158_818_954),
    ("{name: MobileNet3D, width: 2.0}", 86_448_970),
    ("{name: MobileNet3DV2, width: 1.0}", 75_141_450),
    ("{name: ShuffleNet3D, width: 2.0}", 77_049_050),
    ("{name: ShuffleNet3DV2, width: 2.0, last_channels: 2048}", 78_984_250),
)


def build(config: str, *overrides: str) -> paddle.nn.Layer:
    return build_model(load_config(REPOSITORY / "configs" / "localization" / f"{config}.yaml", overrides))


@pytest.mark.parametrize("config", PARAMETERS)
def test_parameters(config: str) -> None:
    model = build(config)
    parts = (model, model.backbone_2d, model.backbone_3d, model.neck, model.head)
    assert tuple(count_parameters(part) for part in parts) == PARAMETERS[config]


@pytest.mark.parametrize(("branch", "expected"), OTHER_BRANCHES)
def test_parameters_of_yowo_with_another_3d_branch(branch: str, expected: int) -> None:
    assert count_parameters(build("yowo", f"MODEL.backbone_3d={branch}")) == expected


@pytest.mark.parametrize(("config", "frames", "total", "two", "three"), MACS)
def test_multiply_adds(config: str, frames: int, total: float, two: float, three: float | None) -> None:
    model = build(config, f"MODEL.input.num_frames={frames}")
    macs = count_macs(model, {name: paddle.to_tensor(value) for name, value in probe(model).items()})
    assert sum(macs.values()) / 1e9 == pytest.approx(total, abs=6e-4)
    assert macs["backbone_2d"] / 1e9 == pytest.approx(two, abs=6e-4)
    if three is not None:
        assert macs["backbone_3d"] / 1e9 == pytest.approx(three, abs=6e-4)
