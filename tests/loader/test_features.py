from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.loader.features import read_duration, read_features
from paddlevideo.loader.media.find import find_features


def write(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def test_numbers_of_any_kind_become_float32(tmp_path: Path) -> None:
    for kind in (np.float64, np.float16, np.int32):
        features = read_features(write(tmp_path / "a.npy", np.arange(6).reshape(3, 2).astype(kind)))
        np.testing.assert_array_equal(features, [[0, 1], [2, 3], [4, 5]])
        assert features.dtype == np.float32


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"v_1\.npy: no such file of features; .*extract_features"):
        read_features(tmp_path / "v_1.npy")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(5), r"expected features \[T, D\], time first, got \[5\]"),
        (np.zeros((0, 4)), r"got \[0, 4\]"),
        (np.array([["a"]]), "no array of numbers"),
        (np.array([[1.0], [np.nan], [2.0]]), "row 1 of 3 has nan or inf"),
        (np.array([[np.inf, 0.0]]), "row 0 of 1 has nan or inf"),
    ],
)
def test_other_arrays_are_named(tmp_path: Path, array: Any, said: str) -> None:
    path = write(tmp_path / "v_1.npy", array)
    with pytest.raises(ValueError, match=said) as caught:
        read_features(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00v\x00{"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v_1.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"v_1\.npy: expected an array \[T, D\] of numbers in npy format"):
        read_features(path)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "v_1.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="npy format"):
        read_features(path)


def test_the_duration_is_beside_the_features(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps({"duration": 12.5, "fps": 25}))
    assert read_duration(tmp_path / "v.npy") == 12.5


HUGE = f'{{"duration": {10**400}}}'


@pytest.mark.parametrize(
    "content", ['{"duration": -1}', '{"duration": "12"}', '{"duration": NaN}', "{}", "[]", "{", HUGE], ids=range(7)
)
def test_a_duration_that_is_none_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "v.json").write_text(content)
    with pytest.raises(ValueError, match=r"v\.json: .*\"duration\": SECONDS"):
        read_duration(tmp_path / "v.npy")


def test_no_file_of_facts(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"v\.json: no such file, which says how long the video of v\.npy is"):
        read_duration(tmp_path / "v.npy")


def test_files_that_a_user_names(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{name}.npy", np.zeros((1, 1))) for name in "ab"]
    assert find_features(str(tmp_path)) == paths
    assert find_features(str(tmp_path / "b*.npy")) == paths[1:]
    assert find_features(str(paths[0])) == paths[:1]
    for text in ("c.npy", "*.json"):
        with pytest.raises(FileNotFoundError, match="nothing matches"):
            find_features(str(tmp_path / text))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: no file of features"):
        find_features(str(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["v.npy", "v.json"])
def test_files_full_of_holes_are_not_read(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(1 << 40)
    read = read_features if name == "v.npy" else read_duration
    with pytest.raises(ValueError, match=rf"{name}: has 1099511627776 bytes; expected at most"):
        read(tmp_path / "v.npy")
