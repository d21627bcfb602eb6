"""Long-term context from the trained 3-D branch to a tested model, through the commands; streams refuse it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import main
from paddlevideo.loader.index import read_index
from tests.cli.test_main import CONFIG, flags
from tests.conftest import load_script, read_npz


def extract(*arguments: object) -> int:
    code: int = load_script("tools/extract_features.py").main(list(map(str, arguments)))
    return code


def test_a_bank_is_made_trained_with_and_refused_for_streams(
    trained: Path, tiny_overrides: list[str], sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = tmp_path / "bank"
    assert extract("-w", trained / "best.pdparams", "-o", bank, "--every", 25) == 0
    videos = [video for phase in ("train", "test") for video in read_index(sample_data / f"{phase}.jsonl").videos]
    assert sorted(path.relative_to(bank).as_posix() for path in bank.rglob("*.npz")) == sorted(
        f"{video.id}.npz" for video in videos
    )
    content = read_npz(bank / f"{videos[0].id}.npz")
    assert content["frames"].tolist() == list(range(1, videos[0].num_frames + 1, 25))
    assert np.ptp(content["features"], axis=0).max() > 0

    output = tmp_path / "output"
    overrides = [
        *tiny_overrides,
        "MODEL.context={name: ContextAttention, channels: 8}",
        "MODEL.input={name: ClipWithContext, num_frames: 4, size: 64, window: 3}",
        f"DATASET.train.bank={bank}",
        f"DATASET.test.bank={bank}",
        f"output_dir={output}",
    ]
    started = ["-c", CONFIG, *flags(overrides), "--max_iters", "2", "-w", str(trained / "best.pdparams")]
    assert main.main(started) == 0
    assert "not in the file: context" in capsys.readouterr().out
    assert main.main(["--test", "-w", str(output / "best.pdparams")]) == 0
    assert main.main(["--export", "-w", str(output / "best.pdparams")]) == 0

    video = next((sample_data / "videos").glob("*/*.mp4"))
    predict = load_script("tools/predict.py")
    for network in (["-w", output / "best.pdparams"], ["-m", output / "inference"]):
        capsys.readouterr()
        assert predict.main([*map(str, network), "-i", str(video), "-o", str(tmp_path / "predictions")]) == 1
        assert "this model is not causal" in capsys.readouterr().err
        assert not list((tmp_path / "predictions").glob("*.mp4"))


def test_a_model_without_a_3d_branch_has_no_features(
    tiny_overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "flat"
    overrides = [*tiny_overrides, "MODEL.backbone_3d=null", f"output_dir={output}"]
    assert main.main(["-c", CONFIG, *flags(overrides), "--max_iters", "1", "--no-validate"]) == 0
    assert extract("-w", output / "last.pdparams", "-o", tmp_path / "bank") == 1
    assert "has no features for a bank" in capsys.readouterr().err
