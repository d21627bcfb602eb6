"""Weights from elsewhere through the commands: converted, tested, fine-tuned to other classes, refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import main
from paddlevideo.config import Config, load_config
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.parts import build_model
from paddlevideo.weights import read_weights, write_tensors
from tests.cli.test_main import CONFIG, fails, flags
from tests.conftest import load_script
from tests.weights.torch_writer import write_torch_file


def convert(*arguments: object) -> int:
    code: int = load_script("tools/convert_weights.py").main(list(map(str, arguments)))
    return code


def test_our_checkpoint_to_safetensors_and_back(trained: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "w.safetensors", tmp_path / "w.pdparams"
    assert convert(trained / "best.pdparams", first, "-c", trained / "config.yaml") == 0
    assert convert(first, second, "-c", trained / "config.yaml") == 0
    original, back = (read_weights(path).tensors for path in (trained / "best.pdparams", second))
    assert {k: v.tobytes() for k, v in original.items()} == {k: v.tobytes() for k, v in back.items()}
    output = f"output_dir={tmp_path}"
    assert main.main(["--test", "-c", str(trained / "config.yaml"), "-w", str(first), "-o", output]) == 0


def test_without_a_config_only_known_sources(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(trained / "best.pdparams", tmp_path / "w.safetensors") == 1
    assert "give the config of their model with -c" in capsys.readouterr().err
    branch = {"conv1.0.weight": np.ones((2, 3), np.float32), "features.0.banch2.0.weight": np.ones(2, np.float32)}
    write_torch_file(tmp_path / "shuffle.pth", branch)
    assert convert(tmp_path / "shuffle.pth", tmp_path / "w.safetensors") == 0
    assert "3-D ShuffleNetV2 on Kinetics (PyTorch)" in capsys.readouterr().out
    assert convert(tmp_path / "shuffle.pth", tmp_path / "w.pdparams", "-c", trained / "config.yaml") == 1
    assert "does not hold parts of this model" in capsys.readouterr().err
    assert not (tmp_path / "w.pdparams").exists()


def renamed_class(folder: Path, sample_data: Path) -> list[str]:
    """Overrides for the sample data with one more class, first in the list."""
    names = (sample_data / "classes.txt").read_text().split()
    (folder / "classes.txt").write_text("\n".join(["Leap", *names]))
    for phase in ("train", "test"):
        header, *videos = map(json.loads, (sample_data / f"{phase}.jsonl").read_text().splitlines())
        header["classes"] = ["Leap", *names]
        header["root"] = str((sample_data / header["root"]).resolve())
        for video in videos:
            video["boxes"] = [[frame, label + 1, *rest] for frame, label, *rest in video["boxes"]]
        (folder / f"{phase}.jsonl").write_text("\n".join(map(json.dumps, [header, *videos])) + "\n")
    return [f"classes={folder / 'classes.txt'}", *(f"DATASET.{p}.index={folder / p}.jsonl" for p in ("train", "test"))]


def model_of(config: Config, weights: Path) -> dict[str, np.ndarray]:
    model = build_model(config)
    load_weights(model, weights)
    return {name: value.numpy() for name, value in model.state_dict().items()}


def test_fine_tuning_to_other_classes(
    trained: Path, tiny_overrides: list[str], sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = "OPTIMIZER={name: Adam, learning_rate: 1.0e-12}"
    overrides = [*tiny_overrides, *renamed_class(tmp_path, sample_data), f"output_dir={tmp_path / 'out'}", still]
    command = ["-c", CONFIG, *flags(overrides), "--max_iters", "1", "--no-validate"]
    assert main.main([*command, "-w", str(trained / "best.pdparams")]) == 0
    assert "adapted to other classes: head.conv.weight" in capsys.readouterr().out
    old = model_of(load_config(trained / "config.yaml"), trained / "best.pdparams")["head.conv.weight"]
    new = model_of(load_config(tmp_path / "out" / "config.yaml"), tmp_path / "out" / "last.pdparams")
    assert len(old) == 5 + 4
    np.testing.assert_allclose(new["head.conv.weight"][:5], old[:5], atol=1e-6)
    np.testing.assert_allclose(new["head.conv.weight"][6:], old[5:], atol=1e-6)
    assert np.abs(new["head.conv.weight"][5] - old[5]).max() > 1e-3


def test_training_starts_from_branches_of_the_config(
    trained: Path, tiny_overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = read_weights(trained / "best.pdparams").tensors
    for part in ("backbone_2d", "backbone_3d"):
        chosen = {name: value.astype(np.float16) for name, value in tensors.items() if name.startswith(part)}
        write_tensors(chosen, tmp_path / f"{part}.safetensors")
    files = f"pretrained=[{tmp_path}/backbone_2d.safetensors, {tmp_path}/backbone_3d.safetensors]"
    still = "OPTIMIZER={name: Adam, learning_rate: 1.0e-12}"
    overrides = [*tiny_overrides, f"output_dir={tmp_path / 'out'}", files, still]
    assert main.main(["-c", CONFIG, *flags(overrides), "--max_iters", "1", "--no-validate"]) == 0
    assert "not in the file: backbone_2d; head; neck" in capsys.readouterr().out
    started = model_of(load_config(tmp_path / "out" / "config.yaml"), tmp_path / "out" / "last.pdparams")
    kernels = [name for name, value in tensors.items() if value.ndim > 3 and name.startswith("backbone")]
    for name in kernels:
        np.testing.assert_allclose(started[name], tensors[name], rtol=1e-3, atol=1e-6)


def test_weights_that_do_not_fit_end_with_one_line(
    trained: Path, tiny_overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-c", CONFIG, *flags([*tiny_overrides, f"output_dir={tmp_path}", "MODEL.neck.channels=24"])]
    error = fails(capsys, [*arguments, "-w", str(trained / "best.pdparams")])
    assert "does not hold parts of this model" in error
    assert "neck.reduce.0.weight" in error
    assert "no such weight file" in fails(capsys, [*arguments, "-w", "nowhere.pth"])
    assert "expected a URL with the sum" in fails(capsys, [*arguments, "-w", "https://host/w.pth"])
