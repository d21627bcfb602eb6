"""Reading pickles that hold nothing but arrays, containers and numbers."""

from __future__ import annotations

import importlib
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

_CORE = "numpy._core" if hasattr(np, "_core") else "numpy.core"  # NumPy 2 renamed it; files carry either name


def _empty_array(kind: Any, shape: Any, code: Any) -> npt.NDArray[Any]:
    """What a pickled array starts as; the sizes asked for here are never needed, and could fill the memory."""
    return np.empty(0)


def _numpy(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{_CORE}.{module}"), name)


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "tuple"): tuple,
}
for _package in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_package}.multiarray", "_reconstruct"] = _empty_array
    _ALLOWED[f"{_package}.multiarray", "scalar"] = _numpy("multiarray", "scalar")
    _ALLOWED[f"{_package}.numeric", "_frombuffer"] = _numpy("numeric", "_frombuffer")

_NUMBERS_AND_TEXT = "biufcSU"  # kinds of dtype


_StepByStep: Any = pickle._Unpickler  # the one in C does not let steps be checked


class ArrayUnpickler(_StepByStep):
    """Builds numpy arrays, containers and numbers, and refuses all else by name; subclasses may allow more."""

    dispatch: ClassVar = dict(_StepByStep.dispatch)
    allowed: ClassVar = _ALLOWED

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(HonestFile(file), encoding="latin1")  # in which Python 2 wrote text and arrays

    def load_build(self) -> None:
        """Give an object its state; a dtype must get its own, or numpy would take bytes for objects."""
        made, state = self.stack[-2:]
        if isinstance(made, np.dtype):
            own = made.__reduce__()[2] if made.kind in _NUMBERS_AND_TEXT else ()
            if not isinstance(state, tuple) or len(state) != len(own) or state[2:] != own[2:]:
                raise pickle.UnpicklingError(f"it holds an array of {made}, {state}; only numbers and text are allowed")
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build

    def load_bytearray8(self) -> None:
        """Bytes that may be changed; the length is checked before there is room made for it."""
        (count,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(count)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def find_class(self, module_name: str, global_name: str) -> Any:
        """What a name in the file stands for."""
        try:
            return self.allowed[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it wants to build {module_name}.{global_name}; only numpy arrays, containers and numbers are allowed"
            ) from None


class HonestFile:
    """A file for unpickling that refuses to be asked for more than it holds, which could fill the memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        place = file.tell()
        self.size = file.seek(0, os.SEEK_END)
        file.seek(place)

    def read(self, count: int) -> bytes:
        """So many bytes, or fewer at the end of the file, as the unpickler expects.

        Raises:
            UnpicklingError: more than the whole file has.
        """
        if count > self.size:
            raise pickle.UnpicklingError(f"a part of it claims {count} bytes, the whole file has {self.size}")
        return self.file.read(count)

    def readline(self) -> bytes:
        """The rest of the line."""
        return self.file.readline()


def load_pickle(path: str | Path) -> Any:
    """Read a pickle, such as a weight file of Paddle, without running code from it.

    Returns:
        Its content: numpy arrays and scalars, dicts, lists, tuples, strings and numbers.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is refused: it asks for another class or function, or is no complete pickle.
    """
    with Path(path).open("rb") as file:
        try:
            return ArrayUnpickler(file).load()
        except OSError:
            raise
        except Exception as error:  # a damaged pickle can fail in any way
            raise ValueError(
                f"{path}: refused, not a pickle of arrays ({error or type(error).__name__}); "
                "get the file again from where it was published"
            ) from error
