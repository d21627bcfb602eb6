from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.weights import read_weights
from paddlevideo.weights.torch_file import load_torch_file
from tests.weights.torch_writer import Block, Call, Global, tensor, write_torch_file

DTYPE = Call(Global("numpy", "dtype"), "i8", False, True)
REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_numbers_and_containers_come_back(tmp_path: Path, legacy: bool) -> None:
    arrays = {
        "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "a.counter": np.array(7, np.int64),
        "b": np.array([1.5, -2.5], np.float64),
        "c": np.zeros((0, 3), np.float16),
    }
    content = {"epoch": 3, "score": 0.5, "state_dict": arrays, "optimizer": {"lr": [1e-3], "name": None}}
    write_torch_file(tmp_path / "w.pth", content, legacy)
    back = load_torch_file(tmp_path / "w.pth")
    assert {key: back[key] for key in ("epoch", "score", "optimizer")} == {
        key: content[key] for key in ("epoch", "score", "optimizer")
    }
    for name, array in arrays.items():
        np.testing.assert_array_equal(back["state_dict"][name], array)
        assert back["state_dict"][name].dtype == array.dtype


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_that_look_at_one_block(tmp_path: Path, legacy: bool) -> None:
    block = Block("0", "FloatStorage", np.arange(12, dtype=np.float32))
    views = {
        "whole": Call(REBUILD, block, 0, (3, 4), (4, 1), False, {}),
        "transposed": Call(REBUILD, block, 0, (4, 3), (1, 4), False, {}),
        "column": Call(REBUILD, block, 2, (3,), (4,), False, {}),
        "scalar": Call(REBUILD, block, 11, (), (), False, {}),
    }
    write_torch_file(tmp_path / "w.pth", views, legacy)
    back = load_torch_file(tmp_path / "w.pth")
    whole = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(back["transposed"], whole.T)
    np.testing.assert_array_equal(back["column"], whole[:, 2])
    assert back["scalar"] == 11
    assert np.shares_memory(back["whole"], back["transposed"])


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    halves = (np.array([1.0, -2.5, 0.15625], np.float32).view(np.uint32) >> 16).astype(np.uint16)
    write_torch_file(tmp_path / "w.pt", {"w": tensor(halves, "BFloat16Storage")})
    np.testing.assert_array_equal(load_torch_file(tmp_path / "w.pt")["w"], np.float32([1.0, -2.5, 0.15625]))


def test_arguments_of_the_run_are_not_looked_at(tmp_path: Path) -> None:
    new = Call(Global("argparse", "Namespace"))
    write_torch_file(tmp_path / "w.pth", {"model": {"w": np.ones(2, np.float32)}, "args": new})
    assert set(read_weights(tmp_path / "w.pth").tensors) == {"w"}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "evil",
    [
        lambda marker: Call(Global("os", "mkdir"), str(marker)),
        lambda marker: Call(Global("builtins", "eval"), f"__import__('os').mkdir({str(marker)!r})"),
        lambda marker: Call(Global("torch.storage", "_load_from_bytes"), b"..."),
        lambda marker: Call(Global("torch.serialization", "load"), str(marker)),
    ],
)
def test_code_is_not_run(tmp_path: Path, legacy: bool, evil: Any) -> None:
    path, marker = tmp_path / "evil.pth", tmp_path / "was-run"
    write_torch_file(path, {"state_dict": {"w": np.ones(2, np.float32)}, "extra": evil(marker)}, legacy)
    with pytest.raises(ValueError, match=r"evil\.pth: refused.*wants to build (os|builtins|torch)\."):
        read_weights(path)
    assert not marker.exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (5,), (1,)), (2, (3,), (1,)), (0, (2, 2), (3, 1)), (-1, (1,), (1,)), (0, (1 << 40,), (0,)), (3, (2,), (-1,))],
)
def test_a_tensor_beyond_its_block_is_refused(
    tmp_path: Path, legacy: bool, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    block = Block("0", "FloatStorage", np.arange(4, dtype=np.float32))
    write_torch_file(tmp_path / "w.pth", {"w": Call(REBUILD, block, offset, size, stride, False, {})}, legacy)
    with pytest.raises(ValueError, match=r"w\.pth: refused.*does not fit into its 4 numbers"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_places_that_are_no_plain_integers_are_refused(tmp_path: Path, legacy: bool) -> None:
    block = Block("0", "FloatStorage", np.arange(4, dtype=np.float32))
    stride = Call(Global("numpy.core.multiarray", "scalar"), DTYPE, b"\x01\x00\x00\x00\x00\x00\x00\x40")
    write_torch_file(tmp_path / "w.pth", {"w": Call(REBUILD, block, 0, (3,), (stride,), False, {})}, legacy)
    with pytest.raises(ValueError, match="should be given by integers"):
        read_weights(tmp_path / "w.pth")


def test_numbers_of_numpy_beside_the_tensors(tmp_path: Path) -> None:
    score = Call(Global("numpy.core.multiarray", "scalar"), DTYPE, b"\x01" + bytes(7))
    write_torch_file(tmp_path / "w.pth", {"state_dict": {"w": np.ones(2, np.float32)}, "score": score})
    assert load_torch_file(tmp_path / "w.pth")["score"] == 1


def test_a_list_of_blocks_that_lacks_one_is_refused(tmp_path: Path) -> None:
    write_torch_file(tmp_path / "w.pth", {"w": np.ones(2, np.float32)}, legacy=True)
    data = (tmp_path / "w.pth").read_bytes()
    listed = data.rindex(b"\x80\x02]")
    (tmp_path / "w.pth").write_bytes(data[:listed] + b"\x80\x02].")
    with pytest.raises(ValueError, match="its list of blocks is not that of its tensors"):
        read_weights(tmp_path / "w.pth")


def make(path: Path, legacy: bool) -> bytes:
    write_torch_file(path, {"w": np.arange(64, dtype=np.float32)}, legacy)
    return path.read_bytes()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_named(tmp_path: Path, legacy: bool, share: float) -> None:
    path = tmp_path / "w.pth"
    whole = make(path, legacy)
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"w\.pth: refused, not a checkpoint of PyTorch that is whole"):
        read_weights(path)


def test_a_block_that_claims_more_than_the_file_has(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    whole = make(path, legacy=True)
    path.write_bytes(whole.replace(b"K@Nt", b"\x8a\x05\x00\x00\x00\x00\x40Nt"))  # 64 numbers become 2 ** 38
    assert path.read_bytes() != whole
    with pytest.raises(ValueError, match=r"its blocks claim 1099511627776 bytes, the file has"):
        read_weights(path)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match="members are compressed"):
        read_weights(path)


def test_an_archive_whose_members_overlap_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data/0", os.urandom(5000))
        for number in range(1, 50):
            archive.filelist.append(archive.filelist[0])
            archive.NameToInfo[f"archive/data/{number}"] = archive.filelist[0]
    with pytest.raises(ValueError, match=r"members claim \d+ bytes"):
        read_weights(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    write_torch_file(tmp_path / "w.pth", {"w": np.ones(2, np.float32)})
    with zipfile.ZipFile(tmp_path / "w.pth", "a") as archive:
        archive.writestr("archive/byteorder", "little")
    with pytest.raises(ValueError, match="two of its members have one name"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_many_tensors_of_one_block_may_not_fill_the_memory(tmp_path: Path, legacy: bool) -> None:
    block = Block("0", "FloatStorage", np.zeros(10_000, np.float32))
    tensors = {str(number): Call(REBUILD, block, 0, (10_000,), (1,), False, {}) for number in range(50)}
    write_torch_file(tmp_path / "w.pth", tensors, legacy)
    with pytest.raises(ValueError, match=r"w\.pth: refused.*more memory than the file has bytes"):
        read_weights(tmp_path / "w.pth")


def test_another_zip_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", w=np.ones(3))
    with pytest.raises(ValueError, match=r"expected one member data\.pkl"):
        read_weights(tmp_path / "w.npz")
