"""Reading pickles that hold nothing but arrays, containers and numbers."""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

_NUMBERS_AND_TEXT = "biufcSU"  # kinds of dtype
_LONGEST_TEXT = 1 << 16  # bytes of one element
_KEYS = (str, int, float, bytes, type(None), np.generic)


class Name:
    """Stands for a class that a file may name but not call."""

    def __init__(self, name: str) -> None:
        self.name = name


def _dtype(code: Any, *_: Any) -> np.dtype[Any]:
    # A copy, as the state that follows in the file changes it.
    made = np.dtype(code, copy=True) if type(code) is str else np.dtype(object)
    if made.kind not in _NUMBERS_AND_TEXT or made.itemsize > _LONGEST_TEXT:
        raise pickle.UnpicklingError(f"it holds an array of {made}; only numbers and text are allowed")
    return made


def _empty_array(kind: Any, shape: Any, code: Any) -> npt.NDArray[Any]:
    """What a pickled array starts as; the sizes asked for here are never needed, and could fill the memory."""
    return np.empty(0)


def _from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> npt.NDArray[Any]:
    if not isinstance(dtype, np.dtype):
        raise pickle.UnpicklingError(f"an array should have a dtype, got {type(dtype).__name__}")
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


def _scalar(dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, np.dtype) or not isinstance(data, (bytes, str)) or len(data) != dtype.itemsize:
        raise pickle.UnpicklingError("a numpy scalar should have a dtype and as many bytes")
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype)[0]


def _tuple(items: Any = ()) -> tuple[Any, ...]:
    if type(items) not in (list, tuple):
        raise pickle.UnpicklingError(f"a tuple should be made of a list, got {type(items).__name__}")
    return tuple(items)


def _ordered_dict(pairs: Any = ()) -> OrderedDict[Any, Any]:
    made: OrderedDict[Any, Any] = OrderedDict()
    for key, value in _tuple(pairs):
        made[_check_key(key)] = value
    return made


def _encode(text: Any, encoding: Any) -> bytes:
    """How pickles of the second protocol write bytes."""
    if type(text) is not str or encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes should be written as latin1, got {type(text).__name__}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How pickles of the second protocol write bytes of length 0."""
    return b""


def _check_key(key: Any) -> Any:
    """A key of a dict; the hash of nested tuples may take for ever."""
    if not isinstance(key, _KEYS):
        raise pickle.UnpicklingError(f"a key should be a text or a number, got {type(key).__name__}")
    return key


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): Name("numpy.ndarray"),
    ("numpy", "dtype"): _dtype,
    ("collections", "OrderedDict"): _ordered_dict,
    ("_codecs", "encode"): _encode,
    **{(builtins, "tuple"): _tuple for builtins in ("builtins", "__builtin__")},
    **{(builtins, "bytes"): _no_bytes for builtins in ("builtins", "__builtin__")},
}
for _package in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_package}.multiarray", "_reconstruct"] = _empty_array
    _ALLOWED[f"{_package}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_package}.numeric", "_frombuffer"] = _from_buffer


_StepByStep: Any = pickle._Unpickler  # the one in C does not let steps be checked


class ArrayUnpickler(_StepByStep):
    """Builds numpy arrays, containers and numbers, and refuses all else by name; subclasses may allow more.

    Nothing is built that is much larger than the file, and nothing hashed that could take long.
    """

    dispatch: ClassVar = dict(_StepByStep.dispatch)
    allowed: ClassVar = _ALLOWED

    def __init__(self, file: IO[bytes]) -> None:
        source = HonestFile(file)
        super().__init__(source, encoding="latin1")  # in which Python 2 wrote text and arrays
        self.room = 2 * source.size + 4096  # bytes that arrays may still take

    def load_build(self) -> None:
        """Give an object its state; a dtype must get its own, or numpy would take bytes for objects."""
        made, state = self.stack[-2:]
        if isinstance(made, np.dtype):
            own = made.__reduce__()[2]
            if not isinstance(state, tuple) or len(state) != len(own) or state[2:] != own[2:]:
                raise pickle.UnpicklingError(
                    f"it holds an array of {made} with another state; only numbers and text are allowed"
                )
        super().load_build()
        if isinstance(made, np.ndarray):
            self.room -= made.nbytes
            if self.room < 0:
                raise pickle.UnpicklingError("its arrays would take more memory than the file has bytes")

    dispatch[pickle.BUILD[0]] = load_build

    def load_setitems(self) -> None:
        """Put pairs into a dict."""
        items = self.pop_mark()
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_check_key(key)] = value

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_setitem(self) -> None:
        """Put a pair into a dict."""
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][_check_key(key)] = value

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_dict(self) -> None:
        """A dict of the pairs since the mark."""
        items = self.pop_mark()
        self.append({_check_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    dispatch[pickle.DICT[0]] = load_dict

    def load_set(self) -> None:
        """Refuse sets, which would hash whatever is put into them."""
        raise pickle.UnpicklingError("it holds a set; only arrays, dicts, lists, tuples, text and numbers are allowed")

    for _opcode in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):
        dispatch[_opcode[0]] = load_set

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
        except Exception as error:  # a damaged pickle can fail in any way
            raise ValueError(
                f"{path}: refused, not a pickle of arrays ({str(error) or type(error).__name__}); "
                "get the file again from where it was published"
            ) from error
