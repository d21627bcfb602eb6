"""Reading pickles that hold nothing but arrays, containers and numbers."""

from __future__ import annotations

import importlib
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

_CORE = "numpy._core" if hasattr(np, "_core") else "numpy.core"  # NumPy 2 renamed it; files carry either name
_INTERNALS = (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "tuple"): tuple,
    **{
        (f"{package}.{module}", name): getattr(importlib.import_module(f"{_CORE}.{module}"), name)
        for package in ("numpy.core", "numpy._core")
        for module, name in _INTERNALS
    },
}


_NUMBERS_AND_TEXT = "biufcSU"  # kinds of dtype


_StepByStep: Any = pickle._Unpickler  # the one in C does not let steps be checked


class _ArrayUnpickler(_StepByStep):
    dispatch: ClassVar = dict(_StepByStep.dispatch)

    def load_build(self) -> None:
        """Give an object its state; a dtype must get its own, or numpy would take bytes for objects."""
        made, state = self.stack[-2:]
        if isinstance(made, np.dtype):
            own = made.__reduce__()[2] if made.kind in _NUMBERS_AND_TEXT else ()
            if not isinstance(state, tuple) or len(state) != len(own) or state[2:] != own[2:]:
                raise pickle.UnpicklingError(f"it holds an array of {made}, {state}; only numbers and text are allowed")
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it wants to build {module_name}.{global_name}; only numpy arrays, containers and numbers are allowed"
            ) from None


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
            return _ArrayUnpickler(file).load()
        except OSError:
            raise
        except Exception as error:  # a damaged pickle can fail in any way
            raise ValueError(
                f"{path}: refused, not a pickle of arrays ({error or type(error).__name__}); "
                "get the file again from where it was published"
            ) from error
