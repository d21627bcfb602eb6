"""Files of safetensors as numpy arrays; numpy has no bfloat16, which becomes float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import deserialize, safe_open

from paddlevideo.types import Arrays

BFLOAT16 = "BF16"
DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", BFLOAT16: "<u2", "BOOL": "?", "C64": "<c8"},
    **{f"{sign}{8 * size}": f"<{sign.lower()}{size}" for sign in "IU" for size in (1, 2, 4, 8)},
}


def load_safetensors(path: Path) -> Arrays:
    """All tensors of a file by name.

    Raises:
        ValueError: a tensor of a type that numpy does not have, such as float8; names it.
        SafetensorError: the file is damaged.
    """
    with safe_open(path, framework="np") as file:
        kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  (it is no mapping)
        for name, kind in kinds.items():
            if kind not in DTYPES:
                raise ValueError(
                    f"tensor {name[:100]} is of type {kind}; expected {', '.join(DTYPES)}; convert it to float32"
                )
        if BFLOAT16 not in kinds.values():
            tensors: Arrays = file.get_tensors()
            return tensors
    return {name: _array(item["dtype"], item["shape"], item["data"]) for name, item in deserialize(path.read_bytes())}


def _array(kind: str, shape: list[int], data: bytes) -> npt.NDArray[np.generic]:
    array = np.frombuffer(data, DTYPES[kind]).reshape(shape)
    return from_bfloat16(array) if kind == BFLOAT16 else array


def from_bfloat16(halves: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """The float32 numbers of which these are the upper halves."""
    return (halves.astype("<u4") << 16).view("<f4")
