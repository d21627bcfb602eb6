"""One function that reads any weight file, and one that writes ours."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from safetensors.numpy import save_file

from paddlevideo.types import Arrays
from paddlevideo.utils.files import check_size, write_atomically
from paddlevideo.utils.safe_pickle import load_pickle
from paddlevideo.weights.darknet_file import darknet_layout, load_darknet_file
from paddlevideo.weights.safetensors_file import load_safetensors
from paddlevideo.weights.sources import SOURCES
from paddlevideo.weights.torch_file import is_torch_file, load_torch_file

OWN = "weights of this program"
CONTAINERS = ("state_dict", "model")  # keys under which checkpoints keep their tensors
PADDLE_NAMES = "StructuredToParameterName@@"
WRAPPERS = ("module", "model", "backbone")  # first parts of names that say nothing, if all names have them
MOST_WRAPPERS = 8  # around each other
LONGEST_NAME = 1000  # characters
LARGEST = 4 << 30  # bytes of a file


@dataclass(frozen=True)
class Weights:
    """The tensors of a file by our names, where they come from, and the names of those that no model here has.

    `whole_parts` is as in `Source`.
    """

    path: Path
    source: str
    tensors: Arrays
    left_out: tuple[str, ...] = ()
    whole_parts: bool = True


def read_weights(path: Path) -> Weights:
    """Read a weight file of any known kind and source.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no weight file, a damaged one, or one that asks for code to be run; the message says which.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weight file")
    check_size(path, LARGEST)
    tensors, others = _tensors_of(_load(path), path)
    tensors = _without_wrappers(tensors, path)
    source = next((source for source in SOURCES if source.knows(tensors)), None)
    if source is None:
        return Weights(path, OWN, tensors, others)
    names = {name: source.our_name(name) for name in tensors}
    ours = {new: tensors[old] for old, new in names.items() if new is not None}
    left_out = tuple(old for old, new in names.items() if new is None)
    if len(ours) + len(left_out) < len(tensors):
        raise ValueError(f"{path}: two of its names mean the same tensor of {source.title}; it is damaged")
    return Weights(path, source.title, ours, (*left_out, *others), source.whole_parts)


def write_tensors(tensors: Arrays, path: Path) -> None:
    """Write tensors whole or not at all, as the ending of the name says: `.pdparams` or `.safetensors`.

    Raises:
        ValueError: another ending.
    """
    if path.suffix == ".safetensors":
        write_atomically(path, lambda file: save_file(tensors, file))
    elif path.suffix == ".pdparams":
        state: Any = tensors  # Paddle's type for it does not know arrays
        write_atomically(path, lambda file: paddle.save(state, str(file)))
    else:
        raise ValueError(f"{path}: expected a name that ends with .pdparams or .safetensors")


def _load(path: Path) -> Any:
    """The content of a file, by what it is and not by how it is called."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(9)
    claimed = struct.unpack("<Q", start[:8])[0] if start[8:] == b"{" else 0  # the length of a header of safetensors
    if is_torch_file(path):
        return _explained(load_torch_file, path, "a checkpoint of PyTorch")
    if 0 < claimed <= size - 8:
        return _explained(load_safetensors, path, "a file of safetensors")
    if start[:1] == b"\x80":
        return load_pickle(path)
    if (layout := darknet_layout(path)) is not None:
        return load_darknet_file(path, *layout)
    if not start:
        problem = "the file is empty"
    elif claimed:
        problem = f"its header of safetensors claims {claimed} bytes, the file has {size}"
    else:
        problem = f"not a weight file ({size} bytes that start with {start[:8].hex(' ')})"
    raise ValueError(
        f"{path}: {problem}; expected weights of Paddle (.pdparams), PyTorch (.pth), Darknet (.weights) or "
        "safetensors; get the file again from where it was published"
    )


def _explained(load: Callable[[Path], Any], path: Path, kind: str) -> Any:
    try:
        return load(path)
    except Exception as error:  # a damaged file can fail in any way
        raise ValueError(
            f"{path}: refused, not {kind} that is whole and holds nothing but tensors, containers and numbers "
            f"({str(error) or type(error).__name__}); get the file again from where it was published"
        ) from error


def _tensors_of(content: Any, path: Path) -> tuple[Arrays, tuple[str, ...]]:
    """The named tensors of a file, which may lie in a container, and the names of what else lies among them."""
    for key in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: expected named tensors, got {type(content).__name__}; is this a weight file?")
    # In a container Paddle writes each tensor with its global name, and beside the tensors a table of these names.
    named = {_name(k, path): v[1] if isinstance(v, tuple) and len(v) == 2 else v for k, v in content.items()}
    tensors = {name: value for name, value in named.items() if isinstance(value, np.ndarray)}
    if not tensors:
        held = ", ".join(list(named)[:5]) or "nothing"
        raise ValueError(f"{path}: expected named tensors, directly or under {' or '.join(CONTAINERS)}, got {held}")
    return tensors, tuple(name for name in named if name not in tensors and name != PADDLE_NAMES)


def _name(key: Any, path: Path) -> str:
    """A name in a file, which can be shown."""
    name = str(key)
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(
            f"{path}: a tensor should have a name of up to {LONGEST_NAME} printable characters, got "
            f"{ascii(name)[:100]} ({len(name)} characters); get the file again from where it was published"
        )
    return name


def _without_wrappers(tensors: Arrays, path: Path) -> Arrays:
    for _ in range(MOST_WRAPPERS):
        first = {name.partition(".")[0] for name in tensors}
        if len(first) != 1 or (wrapper := first.pop()) not in WRAPPERS:
            return tensors
        tensors = {name.removeprefix(f"{wrapper}."): value for name, value in tensors.items()}
    raise ValueError(
        f"{path}: the names of its tensors begin with {MOST_WRAPPERS} or more of {', '.join(WRAPPERS)}; expected those "
        "of a network, such as backbone_2d.stage1.0.conv.weight"
    )
