"""Checkpoint files as PyTorch writes them, made without PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

KINDS = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage", "int64": "LongStorage"}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
FACTS = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Global:
    """A class or function, pickled by its name alone."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Block:
    """A block of memory: pickled as a persistent id."""

    def __init__(self, key: str, kind: str, array: npt.NDArray[Any]) -> None:
        self.key, self.kind, self.array = key, kind, array


class Call:
    """What a function returns, pickled as its call."""

    def __init__(self, function: Global, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments


class Pickler(pickle._Pickler):  # type: ignore[name-defined]
    def __init__(self, file: io.BytesIO, legacy: bool) -> None:
        super().__init__(file, protocol=2)
        self.legacy = legacy
        self.blocks: dict[str, Block] = {}

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Block):
            return None
        self.blocks[value.key] = value
        facts = ("storage", Global("torch", value.kind), value.key, "cpu", value.array.size)
        return (*facts, None) if self.legacy else facts

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Global):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(pickle.REDUCE)
        elif isinstance(value, np.ndarray):
            self.save(tensor(value))
        else:
            super().save(value, save_persistent_id)


def tensor(array: npt.NDArray[Any], kind: str | None = None) -> Call:
    """The pickled form of a tensor with a block of its own."""
    flat = np.ascontiguousarray(array).ravel()
    block = Block(f"{id(array)}", kind or KINDS[array.dtype.name], flat)
    strides = tuple(np.cumprod((1, *array.shape[:0:-1]))[::-1].tolist()) if array.ndim else ()
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, block, 0, tuple(array.shape), strides, False, OrderedDict())


def write_torch_file(path: Path, content: Any, legacy: bool = False) -> None:
    """Write a checkpoint; arrays become tensors.

    Args:
        path: of the file.
        content: containers of arrays, numbers, `Call` and `Global`.
        legacy: in the format of PyTorch before 1.6.
    """
    stream = io.BytesIO()
    pickler = Pickler(stream, legacy)
    pickler.dump(content)
    if legacy:
        with path.open("wb") as file:
            for part in (MAGIC, PROTOCOL, FACTS):
                pickle.dump(part, file, protocol=2)
            file.write(stream.getvalue())
            pickle.dump(sorted(pickler.blocks), file, protocol=2)
            for key in sorted(pickler.blocks):
                array = pickler.blocks[key].array
                file.write(struct.pack("<q", array.size) + array.tobytes())
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("archive/data.pkl", stream.getvalue())
            archive.writestr("archive/byteorder", "little")
            for key, block in pickler.blocks.items():
                archive.writestr(f"archive/data/{key}", block.array.tobytes())
            archive.writestr("archive/version", "3\n")
