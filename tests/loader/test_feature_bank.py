from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddlevideo.loader.feature_bank import read_bank, write_bank


@pytest.mark.parametrize("change", [lambda data: data[:-30], lambda data: data[30:], lambda data: b""])
def test_a_damaged_bank_is_named(tmp_path: Path, change) -> None:
    write_bank(tmp_path, "Run/a", np.arange(1, 4), np.ones((3, 2), np.float32))
    path = tmp_path / "Run" / "a.npz"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=r"Run/a\.npz: expected arrays frames .*; write the bank with"):
        read_bank(tmp_path, "Run/a", 2)


@pytest.mark.parametrize("video", ["Run/" + "x" * 300, "a\nb", "50%"])
def test_ids_that_are_no_names_of_files(tmp_path: Path, video: str) -> None:
    write_bank(tmp_path, video, np.arange(1, 4), np.ones((3, 2), np.float32))
    assert read_bank(tmp_path, video, 2)["offsets"].tolist() == [-1, 0, 1]


def test_a_small_bank_that_holds_very_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paddlevideo.loader.feature_bank.LARGEST", 10_000)
    np.savez_compressed(tmp_path / "a.npz", frames=np.arange(9), features=np.zeros((9, 1000)))
    assert (tmp_path / "a.npz").stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"a\.npz: .*its arrays claim \d+ bytes, at most 10000 are read"):
        read_bank(tmp_path, "a", 5)
