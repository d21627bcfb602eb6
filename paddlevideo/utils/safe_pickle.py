"""Reading pickles that hold nothing but arrays, containers and numbers."""

from __future__ import annotations

import os
import pickle
import re
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

from paddlevideo.utils.files import check_size

_DTYPES = re.compile(r"[<>=|]?[biufcSU]\d{1,6}")  # numbers and text, as pickles call them
_LONGEST_TEXT = 1 << 16  # bytes of one element
_LONGEST_INTEGER = 255  # bytes
_KEYS = (str, int, float, bytes, type(None), np.generic)
_CONTAINERS = (dict, OrderedDict, list, tuple)
_SHOWN = 100  # characters of a name in a message
STEP, ITEM, PAIR = 100, 8, 200  # bytes that a step of a pickle, an item and a pair that it copies take at most
LARGEST = 4 << 30  # bytes of a file
MOST_OBJECTS = 1 << 30  # bytes
MAX_DEPTH = 100  # containers in each other


class Name:
    """Stands for the class or function that a file names; has nothing that a file could call or change."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Budget:
    """The bytes that a file may still take in memory.

    Arrays and byte strings may take twice as many as the file has; all other objects 16 MiB and a hundred times as many
    as the file has, of which the latter is 1 GiB at most. The steps of a pickle, each of which makes at most
    `STEP` bytes, are counted in large files only; small ones cannot have many. Calls and copies are always counted.

    Args:
        size: of the file in bytes.
    """

    def __init__(self, size: int) -> None:
        self.data = 2 * size + 4096
        self.objects = self.all_objects = (16 << 20) + min(STEP * size, MOST_OBJECTS)

    def take_data(self, count: int) -> None:
        """Count bytes of arrays and byte strings.

        Raises:
            UnpicklingError: there are too many.
        """
        self.data -= count
        if self.data < 0:
            raise pickle.UnpicklingError("its arrays would take more memory than the file has bytes")

    def take_objects(self, count: int) -> None:
        """Count bytes of other objects.

        Raises:
            UnpicklingError: there are too many.
        """
        self.objects -= count
        if self.objects < 0:
            raise pickle.UnpicklingError(f"its objects would take more than {self.all_objects >> 20} MB of memory")


def _dtype(budget: Budget, code: Any, *_: Any) -> np.dtype[Any]:
    if type(code) is not str or not _DTYPES.fullmatch(code):
        raise pickle.UnpicklingError(f"it holds an array of {str(code)[:_SHOWN]}; only numbers and text are allowed")
    made = np.dtype(code, copy=True)  # as the state that follows in the file changes it
    if not 0 < made.itemsize <= _LONGEST_TEXT:
        raise pickle.UnpicklingError(f"it holds an array of {made}; only numbers and text are allowed")
    return made


def _from_buffer(budget: Budget, buffer: Any, dtype: Any, shape: Any, order: Any) -> npt.NDArray[Any]:
    if not isinstance(dtype, np.dtype) or type(buffer) not in (bytes, bytearray):
        raise pickle.UnpicklingError(
            f"an array should have bytes and a dtype, got {type(buffer).__name__} and {type(dtype).__name__}"
        )
    budget.take_data(len(buffer))
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


def _scalar(budget: Budget, dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, np.dtype) or type(data) not in (bytes, str) or len(data) != dtype.itemsize:
        raise pickle.UnpicklingError("a numpy scalar should have a dtype and as many bytes")
    budget.take_data(len(data))
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype)[0]


def _tuple(budget: Budget, items: Any = ()) -> tuple[Any, ...]:
    if type(items) not in (list, tuple):
        raise pickle.UnpicklingError(f"a tuple should be made of a list, got {type(items).__name__}")
    budget.take_objects(ITEM * len(items))
    return tuple(items)


def _ordered_dict(budget: Budget, pairs: Any = ()) -> OrderedDict[Any, Any]:
    if type(pairs) not in (list, tuple):
        raise pickle.UnpicklingError(f"an OrderedDict should be made of a list, got {type(pairs).__name__}")
    budget.take_objects(PAIR * len(pairs))
    made: OrderedDict[Any, Any] = OrderedDict()
    for key, value in pairs:
        made[_check_key(key)] = value
    return made


def _encode(budget: Budget, text: Any, encoding: Any) -> bytes:
    """How pickles of the second protocol write bytes."""
    if type(text) is not str or encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes should be written as latin1, got {type(text).__name__}")
    budget.take_data(len(text))
    return text.encode("latin1")


def _no_bytes(budget: Budget) -> bytes:
    """How pickles of the second protocol write bytes of length 0."""
    return b""


def _check_key(key: Any) -> Any:
    """A key of a dict; nested tuples may take for ever to hash, and large integers have chosen hashes."""
    if not isinstance(key, _KEYS):
        raise pickle.UnpicklingError(f"a key should be a text or a number, got {type(key).__name__}")
    if isinstance(key, int) and key.bit_length() > 64:
        raise pickle.UnpicklingError(f"a key should be an integer of 64 bits, got one of {key.bit_length()}")
    return key


def check_nesting(root: Any, most: int) -> None:
    """Refuse content that contains itself, is nested deeply, or holds much more than was read by sharing its parts.

    Args:
        root: of containers, whose keys are no containers.
        most: values that it may hold, those of a shared part counted wherever it is.

    Raises:
        UnpicklingError: says which.
    """
    sizes: dict[int, int] = {}  # by id, of the containers that are done
    path: list[tuple[Any, Iterator[Any]]] = []
    counts: list[int] = [0]

    def enter(value: Any) -> None:
        path.append((value, iter(value.values() if isinstance(value, dict) else value)))
        counts.append(1)
        sizes[id(value)] = 0
        if len(path) > MAX_DEPTH:
            raise pickle.UnpicklingError(f"it holds more than {MAX_DEPTH} containers in each other")

    if type(root) in _CONTAINERS:
        enter(root)
    while path:
        for value in path[-1][1]:
            size = 1
            if type(value) in _CONTAINERS:
                if id(value) not in sizes:
                    enter(value)
                    break
                if not (size := sizes[id(value)]):
                    raise pickle.UnpicklingError("it holds a container that contains itself")
            counts[-1] += size
        else:
            done, count = path.pop()[0], counts.pop()
            sizes[id(done)] = count
            counts[-1] += count
            if counts[-1] > most:
                raise pickle.UnpicklingError(f"it holds more than {most} values, as parts of it are shared")


_StepByStep: Any = pickle._Unpickler  # the one in C does not let steps be checked
Builder = Callable[..., Any]  # is given the budget, and the arguments in the file


class ArrayUnpickler(_StepByStep):
    """Builds numpy arrays, containers and numbers, and refuses all else by name; subclasses may allow more.

    What a file names is only a `Name` to it. A call of one is made by `builders`; a state is given only to arrays and
    dtypes made from the same file. So nothing that this process shares with other files can be called or changed.
    Everything that is made is counted, see `Budget`, and nothing is hashed that could take long.

    Args:
        file: to read.
        budget: what its content may take, by default as the size of the file allows.
    """

    dispatch = dict(_StepByStep.dispatch)  # noqa: RUF012  (instances have another one for large files)
    builders: ClassVar[Mapping[tuple[str, str], Builder]] = {
        ("numpy", "dtype"): _dtype,
        ("collections", "OrderedDict"): _ordered_dict,
        ("_codecs", "encode"): _encode,
        **{(builtins, "tuple"): _tuple for builtins in ("builtins", "__builtin__")},
        **{(builtins, "bytes"): _no_bytes for builtins in ("builtins", "__builtin__")},
        **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
        **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    }
    arrays: ClassVar = {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
    names: ClassVar = {("numpy", "ndarray")}  # that may be given to a call, but not called
    without_state: ClassVar[tuple[type, ...]] = (OrderedDict,)  # PyTorch notes versions on one; they are left out

    def __init__(self, file: IO[bytes], budget: Budget | None = None) -> None:
        source = HonestFile(file)
        super().__init__(source, encoding="latin1")  # in which Python 2 wrote text and arrays
        self.budget = budget or Budget(source.size)
        if source.size * STEP > MOST_OBJECTS:
            self.dispatch = _COUNTED
        self.blank: dict[int, npt.NDArray[Any]] = {}  # arrays that have not got their content yet

    def load(self) -> Any:
        """The content of the pickle."""
        content = super().load()
        check_nesting(content, self.budget.all_objects // STEP)
        return content

    def find_class(self, module_name: str, global_name: str) -> Name:
        """What a name in the file stands for."""
        key = (module_name, global_name)
        if key not in self.builders and key not in self.arrays and key not in self.names:
            raise pickle.UnpicklingError(
                f"it wants to build {module_name[:_SHOWN]}.{global_name[:_SHOWN]}; only numpy arrays, containers and "
                "numbers are allowed"
            )
        return Name(module_name, global_name)

    def load_call(self) -> None:
        """Replace a name and its arguments by what is built of them."""
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, Name) or type(arguments) is not tuple:
            raise pickle.UnpicklingError(f"{type(called).__name__} is not callable with {type(arguments).__name__}")
        key = (called.module, called.name)
        if key in self.arrays:  # the size in the arguments is never needed, and could fill the memory
            made = np.empty(0)
            self.blank[id(made)] = made
        elif key in self.builders:
            made = self.builders[key](self.budget, *arguments)
        else:
            raise pickle.UnpicklingError(f"{called.module}.{called.name} is not callable")
        self.append(made)

    for _opcode in (pickle.REDUCE, pickle.NEWOBJ):
        dispatch[_opcode[0]] = load_call

    def load_build(self) -> None:
        """Give an array or dtype of this file its state; that of `without_state` is left out."""
        state, made = self.stack.pop(), self.stack[-1]
        if id(made) in self.blank:
            del self.blank[id(made)]
            if type(state) is not tuple or len(state) != 5 or not isinstance(state[2], np.dtype):
                raise pickle.UnpicklingError("an array should get its shape, its dtype and its bytes")
            made.__setstate__(state)
            self.budget.take_data(made.nbytes)
        elif isinstance(made, np.dtype):
            own: Any = made.__reduce__()[2]
            if not isinstance(state, tuple) or len(state) != len(own) or state[2:] != own[2:]:
                raise pickle.UnpicklingError(
                    f"it holds an array of {made} with another state; only numbers and text are allowed"
                )
            changed: Any = made
            changed.__setstate__(state)
        elif not isinstance(made, self.without_state):
            raise pickle.UnpicklingError(f"it wants to change the state of {_describe(made)}")

    dispatch[pickle.BUILD[0]] = load_build

    def load_setitems(self) -> None:
        """Put pairs into a dict."""
        items = self.pop_mark()
        self._put(items[::2], items[1::2])

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_setitem(self) -> None:
        """Put a pair into a dict."""
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key], [value])

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_dict(self) -> None:
        """A dict of the pairs since the mark."""
        items = self.pop_mark()
        self.append({})
        self._put(items[::2], items[1::2])

    dispatch[pickle.DICT[0]] = load_dict

    def _put(self, keys: list[Any], values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise pickle.UnpicklingError(f"it wants to put pairs into {_describe(target)}")
        for key, value in zip(keys, values, strict=True):
            target[_check_key(key)] = value

    def load_appends(self) -> None:
        """Put values at the end of a list."""
        items = self.pop_mark()
        self._list().extend(items)

    dispatch[pickle.APPENDS[0]] = load_appends

    def load_append(self) -> None:
        """Put a value at the end of a list."""
        value = self.stack.pop()
        self._list().append(value)

    dispatch[pickle.APPEND[0]] = load_append

    def _list(self) -> list[Any]:
        target = self.stack[-1]
        if type(target) is not list:
            raise pickle.UnpicklingError(f"it wants to put values into {_describe(target)}")
        return target

    def load_set(self) -> None:
        """Refuse sets, which would hash whatever is put into them."""
        raise pickle.UnpicklingError("it holds a set; only arrays, dicts, lists, tuples, text and numbers are allowed")

    for _opcode in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):
        dispatch[_opcode[0]] = load_set

    def load_other(self) -> None:
        """Refuse what no pickle of arrays needs: other kinds of calls, numbers registered for names, buffers."""
        raise pickle.UnpicklingError("it holds a step that pickles of arrays do not have")

    for _opcode in (
        *(pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4),
        *(pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    ):
        dispatch[_opcode[0]] = load_other

    def load_bytearray8(self) -> None:
        """Bytes that may be changed; the length is checked before there is room made for it."""
        (count,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(count)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def _describe(value: Any) -> str:
    return f"{value.module}.{value.name}" if isinstance(value, Name) else f"a value of type {type(value).__name__}"


def _counted(load: Callable[[ArrayUnpickler], None]) -> Callable[[ArrayUnpickler], None]:
    """A step that takes its bytes of the budget."""

    def step(unpickler: ArrayUnpickler) -> None:
        unpickler.budget.take_objects(STEP)
        load(unpickler)

    return step


def _text(load: Callable[[ArrayUnpickler], None]) -> Callable[[ArrayUnpickler], None]:
    """A step that reads text, which may take four times its bytes in the file; what it takes beyond them is counted."""

    def step(unpickler: ArrayUnpickler) -> None:
        load(unpickler)
        text = unpickler.stack[-1]
        unpickler.budget.take_objects(sys.getsizeof(text) - len(text))

    return step


def _integer(load: Callable[[ArrayUnpickler], None]) -> Callable[[ArrayUnpickler], None]:
    """A step that reads an integer of any length, which may take for ever to be printed."""

    def step(unpickler: ArrayUnpickler) -> None:
        load(unpickler)
        if (bits := int(unpickler.stack[-1]).bit_length()) > 8 * _LONGEST_INTEGER:
            raise pickle.UnpicklingError(f"an integer has {bits} bits, more than {8 * _LONGEST_INTEGER}")

    return step


def _dispatch() -> dict[int, Any]:
    checks = {
        _text: (
            *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
            *(pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING),
        ),
        _integer: (pickle.INT, pickle.LONG, pickle.LONG1, pickle.LONG4),
    }
    steps = dict(ArrayUnpickler.dispatch)
    for check, opcodes in checks.items():
        steps.update({opcode[0]: check(steps[opcode[0]]) for opcode in opcodes})
    return steps


ArrayUnpickler.dispatch = _dispatch()
_COUNTED = {code: _counted(load) for code, load in ArrayUnpickler.dispatch.items()}


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
        ValueError: the file is refused: it asks for another class or function, is no complete pickle, or would take
            much more memory than its size, see `Budget`.
    """
    check_size(Path(path), LARGEST)
    with Path(path).open("rb") as file:
        try:
            return ArrayUnpickler(file).load()
        except Exception as error:  # a damaged pickle can fail in any way
            raise ValueError(
                f"{path}: refused, not a pickle of arrays ({str(error) or type(error).__name__}); "
                "get the file again from where it was published"
            ) from error
