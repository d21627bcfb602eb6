"""Reading pickles that hold nothing but arrays, containers and numbers."""

from __future__ import annotations

import importlib
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

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


class _ArrayUnpickler(pickle.Unpickler):
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
