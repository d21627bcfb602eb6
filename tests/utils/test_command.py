from __future__ import annotations

from pathlib import Path

import pytest

from paddlevideo.utils.command import chosen_config, command_line

TEXT = "MODEL: {name: A}\noutput_dir: /somewhere/else\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run, with a checkpoint and a link to it."""
    folder = tmp_path / "output"
    checkpoint = folder / "checkpoints" / "0001-00000010"
    checkpoint.mkdir(parents=True)
    for place in (folder, checkpoint):
        (place / "config.yaml").write_text(TEXT)
    (folder / "last").symlink_to(Path("checkpoints", checkpoint.name))
    return folder


@pytest.mark.parametrize(
    "weights", ["best.pdparams", "last/weights.pdparams", "checkpoints/0001-00000010/weights.pdparams"]
)
def test_a_config_beside_weights_does_not_say_where_files_are_written(run: Path, weights: str) -> None:
    assert Path(chosen_config(None, run / weights).output_dir).resolve() == run.resolve()


def test_who_says_where_is_heard(run: Path) -> None:
    chosen = chosen_config(None, run / "best.pdparams", [f"output_dir={run / 'mine'}"])
    assert chosen.output_dir == str(run / "mine")
    assert chosen_config(run / "config.yaml", run / "best.pdparams").output_dir == "/somewhere/else"


def test_weights_in_the_current_folder(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    assert chosen_config(None, "best.pdparams").output_dir == "."


def test_the_command_line_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [
        "main.py",
        "-w",
        "https://me:secret@host/w.pth?token=secret#sha256=0",
        "-o",
        "pretrained=[http://h/a?k=secret]",
    ]
    monkeypatch.setattr("sys.argv", [*words, "https://host/plain.pth#sha256=1"])
    shown = command_line()
    assert "secret" not in shown
    assert "https://host/w.pth" in shown and "pretrained=[http://h/a]" in shown
    assert "https://host/plain.pth#sha256=1" in shown
