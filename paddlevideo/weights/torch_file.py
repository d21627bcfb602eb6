"""Checkpoint files of PyTorch, read without PyTorch and without running code from them.

Since version 1.6 such a file is an uncompressed zip archive: a pickle that describes the tensors, and a member for each
block of memory. Before, it was five pickles in a row and then the blocks.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

from paddlevideo.utils.safe_pickle import ArrayUnpickler, Budget, Name
from paddlevideo.weights.safetensors_file import from_bfloat16

MAGIC = 0x1950A86A20F9469CFC6C  # of the files before version 1.6, as their first pickle
ITEMS = {  # how the numbers of a block are stored; bfloat16 as the upper half of a float32
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
Block = npt.NDArray[Any]  # one axis
ReadBlock = Callable[[str, str, int], Block]  # its key, kind and length


class Settings:
    """Stands for the arguments of the training run that some checkpoints keep; they are not looked at."""

    def __init__(self, budget: Budget) -> None:
        pass


def rebuild_tensor(
    budget: Budget, block: Block, offset: int, size: Sequence[int], stride: Sequence[int], *_: Any
) -> Block:
    """The tensor that looks at a block in this way.

    Raises:
        UnpicklingError: it would look beyond the block, or is larger than it; or all tensors are much larger than the
            file, as they share blocks.
    """
    if not isinstance(block, np.ndarray) or any(
        type(number) is not int for number in (offset, *size, *stride)
    ):  # those of numpy overflow
        raise pickle.UnpicklingError("the place of a tensor should be given by integers")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    count = math.prod(size)
    if min((offset, *size, *stride)) < 0 or count > len(block) or (count and last >= len(block)):
        raise pickle.UnpicklingError(f"a tensor {list(size)} does not fit into its {len(block)} numbers")
    budget.take_data(count * block.itemsize)  # as a copy, such as a converted file, would
    steps = [step * block.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(block[offset:], size, steps, writeable=False)


def rebuild_parameter(budget: Budget, tensor: Block, *_: Any) -> Block:
    """A parameter is its tensor."""
    return tensor


class _TensorUnpickler(ArrayUnpickler):
    builders: ClassVar = {
        **ArrayUnpickler.builders,
        ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
        ("torch", "Size"): ArrayUnpickler.builders["builtins", "tuple"],
        ("argparse", "Namespace"): Settings,
    }
    names: ClassVar = ArrayUnpickler.names | {("torch", name) for name in ITEMS}
    without_state: ClassVar = (*ArrayUnpickler.without_state, Settings)

    def __init__(self, file: IO[bytes], size: int, read_block: ReadBlock) -> None:
        super().__init__(file, Budget(2 * size))  # bfloat16 grows, and tensors may share blocks
        self.read_block = read_block
        self.blocks: dict[str, Block] = {}

    def persistent_load(self, pid: Any) -> Block:
        """The block that a tensor looks at; several may look at one."""
        word, kind, key, _, count, *rest = pid
        is_kind = isinstance(kind, Name) and kind.module == "torch" and kind.name in ITEMS
        is_block = word == "storage" and is_kind and not any(rest)
        if not is_block or type(key) is not str or type(count) is not int or count < 0:
            raise pickle.UnpicklingError("it describes a block of memory otherwise than PyTorch does")
        if key not in self.blocks:
            self.blocks[key] = self.read_block(key, kind.name, count)
        return self.blocks[key]


def is_torch_file(path: Path) -> bool:
    """Whether a file is of either kind, judged by its first bytes."""
    with path.open("rb") as file:
        start = file.read(64)
    return start.startswith((b"PK\x03\x04", pickle.dumps(MAGIC, protocol=2)))


def load_torch_file(path: Path) -> Any:
    """Read a checkpoint (`.pth`, `.pt`).

    Returns:
        Its content; tensors are numpy arrays that cannot be written to, bfloat16 is float32.

    Raises:
        UnpicklingError, BadZipFile, ...: it is damaged, or asks for something that is no tensor, container or number.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _load_zip(archive, path.stat().st_size)
    with path.open("rb") as file:
        return _load_blocks_behind(file, path.stat().st_size)


def _load_zip(archive: zipfile.ZipFile, size: int) -> Any:
    members = {info.filename: info for info in archive.infolist()}
    if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
        raise zipfile.BadZipFile("its members are compressed, which PyTorch never does")
    claimed = sum(info.file_size for info in archive.infolist())
    if claimed > size:
        raise zipfile.BadZipFile(f"its members claim {claimed} bytes, the file has {size}")
    if len(members) < len(archive.infolist()):
        raise zipfile.BadZipFile("two of its members have one name")
    folders = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl")]
    if len(folders) != 1:
        raise zipfile.BadZipFile(
            f"expected one member data.pkl with the description of the tensors, got {len(folders)}"
        )
    if f"{folders[0]}byteorder" in members and archive.read(f"{folders[0]}byteorder") != b"little":
        raise zipfile.BadZipFile("it was written on a machine of another byte order")

    def read_block(key: str, kind: str, count: int) -> Block:
        name, item = f"{folders[0]}data/{key}", np.dtype(ITEMS[kind])
        if name not in members or members[name].file_size != count * item.itemsize:
            raise zipfile.BadZipFile(f"expected a member {name} of {count * item.itemsize} bytes")
        block = np.frombuffer(archive.read(name), item)
        return from_bfloat16(block) if kind == "BFloat16Storage" else block

    return _TensorUnpickler(io.BytesIO(archive.read(f"{folders[0]}data.pkl")), size, read_block).load()


def _load_blocks_behind(file: IO[bytes], size: int) -> Any:
    claimed = 0

    def make_block(key: str, kind: str, count: int) -> Block:
        nonlocal claimed
        if kind == "BFloat16Storage":
            raise pickle.UnpicklingError("it holds bfloat16 in the format of PyTorch before 1.6; save it anew")
        item = np.dtype(ITEMS[kind])
        claimed += count * item.itemsize
        if claimed > size:
            raise pickle.UnpicklingError(f"its blocks claim {claimed} bytes, the file has {size}")
        return np.empty(count, item)

    _, protocol, facts = (ArrayUnpickler(file).load() for _ in range(3))
    if protocol != 1001 or not facts["little_endian"]:
        raise pickle.UnpicklingError(f"it is of version {protocol}, little-endian {facts['little_endian']}")
    description = _TensorUnpickler(file, size, make_block)
    content = description.load()
    keys = ArrayUnpickler(file).load()
    if sorted(keys) != sorted(description.blocks):
        raise pickle.UnpicklingError("its list of blocks is not that of its tensors")
    for key in keys:
        block = description.blocks[key]
        (count,) = struct.unpack("<q", file.read(8))
        data = file.read(block.nbytes)
        if count != len(block) or len(data) != block.nbytes:
            raise pickle.UnpicklingError(f"a block of {len(block)} numbers is not complete")
        block[:] = np.frombuffer(data, block.dtype)
    return content
