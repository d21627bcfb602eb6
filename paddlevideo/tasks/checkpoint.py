"""Weights on disk: written whole or not at all, read without running code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import paddle
from paddle import nn

from paddlevideo.config import load_config
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.checkpoint_store import verified
from paddlevideo.types import Arrays, IntArray
from paddlevideo.utils.download import local_file
from paddlevideo.utils.files import write_atomically
from paddlevideo.utils.logging import logger
from paddlevideo.weights import OWN, Weights, read_weights

Array: TypeAlias = npt.NDArray[np.float32]


def save_weights(model: nn.Layer, path: Path) -> None:
    """Write the state dict to a `.pdparams` file."""
    write_atomically(path, lambda file: paddle.save(model.state_dict(), str(file)))


def load_weights(model: nn.Layer, location: str | Path) -> None:
    """Read a weight file of any known source into a model; every parameter must be in it, in the right shape.

    Args:
        model: to fill.
        location: a path, or a URL as `local_file` takes it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a weight file, a damaged one, one with NaN or infinity, or not of this model; names missing,
            unexpected and misshapen parameters.
    """
    weights = read_weights(verified(local_file(location)))
    comparison = compare(model, weights.tensors)
    if comparison.missing or comparison.unexpected or comparison.misshapen:
        raise ValueError(f"{weights.path} ({weights.source}) does not fit the model of the config:\n  {comparison}")
    _fill(model, weights)


def start_from(model: VideoModel, location: str | Path, classes: Sequence[str]) -> None:
    """Begin with the parts of a model that a weight file holds, such as a branch trained on other data; says which.

    A part is taken whole or not at all, unless its source has no whole one. Where only the number of classes differs,
    the rows that do not speak of a class are kept, and those of a class of the same name, if a `config.yaml` beside the
    weights tells the names.

    Args:
        model: to fill.
        location: a path, or a URL as `local_file` takes it.
        classes: the model's.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a weight file, a damaged one, or it holds something else than parts of this model.
    """
    weights = read_weights(verified(local_file(location)))
    before = classes_beside(weights.path) if weights.source == OWN else ()
    state = model.state_dict()
    is_clear = bool(before) or weights.source != OWN  # whether another length can only mean other classes
    fitted = {
        name: fit_rows(given, state[name].numpy(), partial(model.spoken_classes, name), before, classes)
        if name in state and is_clear
        else given
        for name, given in weights.tensors.items()
    }
    weights_of_parts = dataclasses.replace(weights, tensors=fitted)
    absent = check_parts(model, weights_of_parts)
    _fill(model, weights_of_parts)
    reshaped = [name for name, value in fitted.items() if value is not weights.tensors[name]]
    logger.info("starting from %s", describe(weights))
    logger.info("  adapted to other classes: %s", _some(reshaped) or "nothing")
    logger.info("  not in the file: %s", _some(absent) or "nothing")


def _fill(model: nn.Layer, weights: Weights) -> None:
    """Set the tensors of a model that are given, in the model's precision.

    Raises:
        ValueError: a number is not finite, or not in the model's precision.
    """
    own = model.state_dict()
    state: Any = dict(own)  # Paddle's type for it does not know arrays
    for name, value in weights.tensors.items():
        precision = str(own[name].dtype).removeprefix("paddle.")
        with np.errstate(over="ignore"):  # too large for the precision is found right here
            state[name] = np.asarray(value, precision)
        check_finite(state[name], value, f"{weights.path}: tensor {name} ({precision})")
    model.set_state_dict(state)


def check_finite(numbers: npt.NDArray[Any], given: npt.NDArray[Any], where: str) -> None:
    """Refuse weights with NaN or infinity.

    Args:
        numbers: of any shape.
        given: what they were before they were converted to a precision.
        where: begins the message.

    Raises:
        ValueError: says the first place, and what was given there.
    """
    if numbers.dtype.kind != "f":
        return
    flat = numbers.ravel()
    with np.errstate(all="ignore"):
        squares = np.dot(flat, flat)  # the quickest pass over them; it may also overflow
    if np.isfinite(squares) or np.isfinite(flat).all():
        return
    place = np.unravel_index(int(np.argmin(np.isfinite(flat))), numbers.shape)
    raise ValueError(
        f"{where} should be finite, got {given[place]} at {list(map(int, place))}; the run that wrote it has "
        "diverged, or the file is damaged: take an earlier checkpoint, or get the file again"
    )


def check_parts(model: nn.Layer, weights: Weights) -> list[str]:
    """Refuse weights that are not whole parts of a model, such as its 3-D branch.

    Returns:
        What they lack: names of parts, or of tensors if the source is known to have incomplete parts.

    Raises:
        ValueError: a part is not complete, or something in the file is not in the model.
    """
    found = compare(model, weights.tensors)
    parts = {_part(name) for name in weights.tensors}
    torn = [name for name in found.missing if _part(name) in parts]
    if (torn and weights.whole_parts) or found.unexpected or found.misshapen:
        problems = dataclasses.replace(found, missing=torn)
        raise ValueError(f"{weights.path} ({weights.source}) does not hold parts of this model:\n  {problems}")
    return [*torn, *sorted({_part(name) for name in found.missing} - parts)]


def describe(weights: Weights) -> str:
    """What a file was recognised as and holds, in a few lines."""
    parts = sorted({_part(name) for name in weights.tensors})
    return (
        f"{weights.path}: {weights.source}\n  {len(weights.tensors)} tensors of {', '.join(parts)}\n"
        f"  left out, as no model here has them: {_some(weights.left_out) or 'nothing'}"
    )


def _part(name: str) -> str:
    return name.partition(".")[0]


@dataclass(frozen=True)
class Comparison:
    """How named tensors differ from what a model wants; `str` lists it."""

    missing: list[str]
    unexpected: list[str]
    misshapen: list[str]

    def __str__(self) -> str:
        found = {"missing": self.missing, "unexpected": self.unexpected, "of another shape": self.misshapen}
        lines = [f"{len(names)} {title}: {_some(names)}" for title, names in found.items() if names]
        if self.misshapen and not self.missing and not self.unexpected:
            lines.append("were these weights trained for another number of classes or another width?")
        return "\n  ".join(lines)


def compare(model: nn.Layer, tensors: Arrays) -> Comparison:
    """How tensors differ from the parameters and buffers of a model."""
    wanted = {name: list(value.shape) for name, value in model.state_dict().items()}
    floats = {name for name, value in model.state_dict().items() if "float" in str(value.dtype)}
    return Comparison(
        missing=[name for name in wanted if name not in tensors],
        unexpected=[name for name in tensors if name not in wanted],
        misshapen=[
            f"{name} is {_spell(tensors[name])}, the model has {shape}"
            for name, shape in wanted.items()
            if name in tensors
            and (list(tensors[name].shape) != shape or (name in floats and tensors[name].dtype.kind != "f"))
        ],
    )


def fit_rows(
    given: Array, own: Array, spoken: Callable[[int], IntArray | None], before: Sequence[str], now: Sequence[str]
) -> Array:
    """A tensor of a model for other classes, as far as it fits ours.

    Args:
        given: of the other model.
        own: ours, which has the rows that are not kept.
        spoken: the class that each of so many rows speaks of, -1 for none; None if they do not speak of classes.
        before: the other model's classes, if known.
        now: ours.

    Returns:
        `given` itself where only its values differ, or where it does not fit.
    """
    if given.ndim != own.ndim or given.shape[1:] != own.shape[1:] or not given.ndim:
        return given
    old, new = spoken(len(given)), spoken(len(own))
    if old is None or new is None:
        return given
    if before and old.max() + 1 != len(before):
        return given  # of other anchors
    same = {now.index(name): before.index(name) for name in before if name in now}
    if len(given) == len(own) and (not before or list(before) == list(now)):
        return given
    fitted = own.copy()
    for label, source in {-1: -1, **same}.items():
        if (old == source).sum() != (new == label).sum():
            return given
        fitted[new == label] = given[old == source]
    return fitted


def _spell(tensor: npt.NDArray[Any]) -> str:
    return f"{list(tensor.shape)}" + ("" if tensor.dtype.kind == "f" else f" of {tensor.dtype}")


def classes_beside(weights: Path) -> tuple[str, ...]:
    """The class names in the `config.yaml` beside a weight file; none if there is no such file."""
    path = weights.parent / "config.yaml"
    return tuple(load_config(path).classes) if path.is_file() else ()


def _some(names: Sequence[str], count: int = 8) -> str:
    return "; ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
